"""Money, as people read it."""


def won(amount: int) -> str:
    """An amount in won with its sign and separators: ₩9,900."""
    return f"₩{amount:,}"
