"""VAT: how a price that includes it is split."""


def supply_value(total: int) -> int:
    """The supply value (공급가액) in a total that includes VAT; what remains is the VAT.

    It is 100/110 of the total (Value-Added Tax Act art. 29(7), at the rate of art. 30), rounded to
    the nearest won; exactly half a won cannot occur. Integers avoid the rounding of floats.
    """
    return (total * 100 + 55) // 110
