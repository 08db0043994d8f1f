"""What schemathesis does not know by itself."""

import schemathesis

# A stream of JSON objects is sent as the text that it is.
schemathesis.serializer.alias("application/x-ndjson", "text/plain")
