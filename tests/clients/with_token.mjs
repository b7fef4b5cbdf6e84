// MCP with a token that was got by other means, by the official SDK.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

export async function connected(url, token) {
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  const client = new Client({ name: "attache-test", version: "1.0.0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  return client;
}
