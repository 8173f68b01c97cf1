// The fix for each problem of a connection: options of parlor, and lines for a proxy's settings.
// `parlor doctor` reads this file too, so the table is JSON. Words in braces are replaced.

export const fixes = {
  "upgrade": {
    "nginx": [
      "proxy_http_version 1.1;",
      "proxy_set_header Upgrade $http_upgrade;",
      "proxy_set_header Connection \"upgrade\";"
    ],
    "caddy": ["reverse_proxy 127.0.0.1:8080", "# without header_up for Upgrade or Connection"]
  },
  "http-1.0": {
    "nginx": ["proxy_http_version 1.1;"],
    "caddy": ["transport http {", "    versions 1.1", "}"]
  },
  "timeout": {
    "parlor": ["--ping-interval {ping}"],
    "nginx": ["proxy_read_timeout 1h;", "proxy_send_timeout 1h;"],
    "caddy": ["reverse_proxy 127.0.0.1:8080", "# without stream_timeout"]
  },
  "buffering": {
    "nginx": ["proxy_buffering off;", "proxy_request_buffering off;"],
    "caddy": ["flush_interval -1"]
  },
  "host": {
    "nginx": ["proxy_set_header Host $http_host;"],
    "caddy": ["header_up Host {http.request.hostport}"]
  },
  "path": {
    "nginx": [
      "location {path} {",
      "    proxy_pass http://127.0.0.1:8080/;  # with the slash at the end",
      "}"
    ],
    "caddy": ["handle_path {path}* {", "    reverse_proxy 127.0.0.1:8080", "}"]
  },
  "trusted-proxy": {
    "parlor": ["--trusted-proxy {address}"]
  },
  "forwarded": {
    "nginx": ["proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"],
    "caddy": ["reverse_proxy 127.0.0.1:8080", "# without header_up for X-Forwarded-For"]
  },
  "origin": {
    "parlor": ["--origin {origin}"]
  },
  "tls": {
    "nginx": [
      "listen 443 ssl;",
      "ssl_certificate     /etc/ssl/{host}.pem;",
      "ssl_certificate_key /etc/ssl/{host}.key;"
    ],
    "caddy": ["{host} {", "    reverse_proxy 127.0.0.1:8080", "}"]
  },
  "tls-elsewhere": {
    "parlor": ["--origin {origin}"]
  },
  "clock": {
    "system": ["timedatectl set-ntp true"]
  }
};
