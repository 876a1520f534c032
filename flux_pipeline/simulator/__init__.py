"""A Wiro server on loopback: same wire, same rules, drawn pictures, no bill.

Written from `wiro-api.md` alone and importing nothing of ours but the errors, so that it and the client check each
other. The way of a request: `server` → `gate` (who) → `bodies` (what) → `mischief` (faults, if any were asked for) →
`api` or `cdn`. A task is a row of `ledger`, and what has become of it is computed from its row and the clock (`life`).
"""
