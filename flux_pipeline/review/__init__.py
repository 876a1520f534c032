"""Looking at pictures and deciding on them: what decisions mean, what is promoted, and the page that takes them."""
