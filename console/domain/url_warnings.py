"""What is worth saying of a URL that is right: nothing here is refused."""

from urllib.parse import urlsplit

from console.domain.addresses import AddressPolicy


def url_warnings(url: str) -> list[str]:
    """Of a URL that `check_url` takes: that it is not encrypted, and that its address is one an engine refuses."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    local = host == "localhost" or host.endswith(".localhost")
    refusal = "loopback" if local else AddressPolicy().refusal(host)
    if refusal == "not an IP address":
        refusal = None
    warnings = []
    if parts.scheme == "http" and refusal != "loopback":
        warnings.append(f"{host} is reached over plain http: everybody on the way can read what is sent")
    if refusal is not None:
        warnings.append(
            f"{host} is a {refusal} address, which an engine refuses to call unless it is started with "
            "'serve --allow-address CIDR' (or WEBHOOK_CONSOLE_ALLOW_ADDRESSES)"
        )
    return warnings
