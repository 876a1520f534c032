"""`python -m flux_pipeline` is `flux-pipeline`."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # so that Ctrl-C while modules are still being read shows no traceback

from flux_pipeline.cli import main  # noqa: E402 -- what comes before it is for the time of the import

if __name__ == "__main__":
    main()
