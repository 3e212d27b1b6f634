"""What the package of the examples holds: hello.zip."""

import os


def handler(event: dict[str, str], _context: object) -> dict[str, str]:
    """Greet whoever the event names."""
    return {"message": f"Hello {event.get('name', 'world')}", "table": os.environ["TABLE_NAME"]}
