"""`python -m flux_pipeline` is `flux-pipeline`."""

from flux_pipeline.cli import main

if __name__ == "__main__":
    main()
