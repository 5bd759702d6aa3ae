# SPDX-License-Identifier: MIT
"""prodsmart.py - a client of the simulated Prodsmart, for tests that go there directly."""

import base64
import urllib.parse

from wire import as_bytes, request

JSON_TYPE = "application/json"

# Operation -> method, path, documented status of success.
OPERATIONS = {
    "authorization.get": ("GET", "/api/authorization", 200),
    "authorization.create": ("POST", "/api/authorization", 201),
    "authorization.delete": ("DELETE", "/api/authorization", 204),
    "changes.read": ("GET", "/api/changes/{channel}", 200),
    "suppliers.create": ("POST", "/api/suppliers", 201),
    "suppliers.list": ("GET", "/api/suppliers", 200),
    "suppliers.get": ("GET", "/api/suppliers/{id}", 201),
    "suppliers.update": ("PUT", "/api/suppliers/{id}", 201),
    "suppliers.delete": ("DELETE", "/api/suppliers/{id}", 204),
    "clients.create": ("POST", "/api/clients", 201),
    "clients.list": ("GET", "/api/clients", 200),
    "clients.get": ("GET", "/api/clients/{id}", 201),
    "clients.update": ("PUT", "/api/clients/{id}", 201),
    "clients.delete": ("DELETE", "/api/clients/{id}", 204),
    "client-orders.create": ("POST", "/api/client-order/", 201),
    "client-orders.list": ("GET", "/api/client-order/", 200),
    "client-orders.get": ("GET", "/api/client-order/{id}", 201),
    "client-orders.update": ("PUT", "/api/client-order/", 201),
    "client-orders.delete": ("DELETE", "/api/client-order/{id}", 204),
    "purchase-orders.create": ("POST", "/api/purchase-orders/", 201),
    "purchase-orders.list": ("GET", "/api/purchase-orders", 200),
    "purchase-orders.get": ("GET", "/api/purchase-orders/{id}", 201),
    "purchase-orders.update": ("PUT", "/api/purchase-orders/{id}", 201),
    "purchase-orders.delete": ("DELETE", "/api/purchase-orders/{id}", 204),
    "production-orders.create": ("POST", "/api/production-orders/", 201),
    "production-orders.list": ("GET", "/api/production-orders/", 200),
    "production-orders.get": ("GET", "/api/production-orders/{id}", 200),
    "production-orders.update": ("PUT", "/api/production-orders/{id}", 200),
    "production-orders.delete": ("DELETE", "/api/production-orders/{id}", 204),
    "production-orders.notify": ("POST", "/api/production-orders/{id}/notify", 200),
    "production-orders.activate": ("POST", "/api/production-orders/{id}/activate", 200),
    "products.get": ("GET", "/api/products/{code}", 200),
    "products.create": ("POST", "/api/products", 201),
    "products.update": ("PUT", "/api/products/{code}", 201),
    "products.delete": ("DELETE", "/api/products/{code}", 204),
    "products.list": ("GET", "/api/products", 200),
    "bom.set": ("POST", "/api/bom", 201),
    "stock.set": ("POST", "/api/stock", 201),
    "stock.get": ("GET", "/api/stock/{code}", 200),
    "product-families.create": ("POST", "/api/product-families", 201),
    "product-families.delete": ("DELETE", "/api/product-family/{code}", 204),
    "product-families.list": ("GET", "/api/product-families", 201),
    "machines.counter": ("POST", "/api/machines/{machine_code}/counter", 200),
    "machines.parameters": ("POST", "/api/machines/{machine_code}/parameters", 200),
    "machines.startstop": ("POST", "/api/machines/{machine_code}/startstop", 200),
    "productions.update": ("PUT", "/api/productions/{id}", 200),
    "productions.delete": ("DELETE", "/api/productions/{id}", 201),
    "productions.list": ("GET", "/api/productions", 200),
    "downtimes.list": ("GET", "/api/downtimes", 200),
    "punchclocks.list": ("GET", "/api/punchclocks", 200),
    "inventory-movements.get": ("GET", "/api/inventory-movements/{id}", 200),
    "inventory-movements.create": ("POST", "/api/inventory-movements/", 200),
    "inventory-movements.update": ("PUT", "/api/inventory-movements/{id}", 200),
    "inventory-movements.delete": ("DELETE", "/api/inventory-movement/{id}", 204),
    "inventory-movements.list": ("GET", "/api/inventory-movements/", 200),
    "reports.worker-labor-time": ("GET", "/api/reports/worker-labor-time", 200),
}


def basic(key="sim-ps-key", secret="sim-ps-secret"):
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


class Prodsmart:
    """Calls with a token of its own; wrong ones are up to the test."""

    def __init__(self, sim):
        self.sim = sim
        self.token = self.new_token()

    def new_token(self):
        return self.call("POST", "/api/authorization", {"scopes": ["productions_write"]},
                         auth=basic()).json()["token"]

    def call(self, method, path, body=None, auth=None, content_type=JSON_TYPE, **query):
        """auth: a header instead of the token.  Names in query: '_' stands for '-'."""
        pairs = [(k.replace("_", "-"), x) for k, v in query.items() if k != "token"
                 for x in (v if isinstance(v, list) else [v])]
        headers = {"Content-Type": content_type} if content_type else {}
        if auth:
            headers["Authorization"] = auth
        else:
            token = query.get("token", self.token)
            pairs += [("access_token", token)] if token else []
        if pairs:
            path += "?" + urllib.parse.urlencode(pairs)
        return request(self.sim.address("prodsmart"), method, path,
                       None if body is None else as_bytes(body), headers)

    def op(self, name, what="", body=None, auth=None, **query):
        """An operation by its name; `what` stands for the {…} of its path."""
        method, path, _ = OPERATIONS[name]
        head, brace, rest = path.partition("{")
        if brace:
            path = head + urllib.parse.quote(str(what), safe="") + rest.partition("}")[2]
        return self.call(method, path, body, auth, **query)

    def get(self, path, **query):
        return self.call("GET", path, **query)

    def post(self, path, body, **query):
        return self.call("POST", path, body, **query)

    def put(self, path, body, **query):
        return self.call("PUT", path, body, **query)

    def delete(self, path, **query):
        return self.call("DELETE", path, **query)
