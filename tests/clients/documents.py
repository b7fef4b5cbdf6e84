"""A web site over TLS, of a client that describes itself: GET /client.json.

Writes {"id": URL} when it serves. What the client is comes on standard input as one JSON object, without client_id.

usage: documents.py CERTIFICATE KEY
"""

import http.server
import json
import ssl
import sys

metadata = json.loads(sys.stdin.readline())


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path == "/client.json"
        body = json.dumps(metadata).encode() if found else b"{}"
        self.send_response(200 if found else 404)
        self.send_header("content-type", "application/json")
        self.send_header("cache-control", "max-age=600")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:3])
server.socket = context.wrap_socket(server.socket, server_side=True)
metadata["client_id"] = f"https://localhost:{server.server_port}/client.json"
print(json.dumps({"id": metadata["client_id"]}), flush=True)
server.serve_forever()
