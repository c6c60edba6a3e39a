"""``python -m tinygrad_bp`` is ``tinygrad-bp``."""

from tinygrad_bp.cli import main

if __name__ == "__main__":
    main()
