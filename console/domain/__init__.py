"""The words of the product as frozen values, and every decision about them. Pure: no I/O, no asyncio."""
