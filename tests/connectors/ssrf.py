"""Addresses that lead, by one spelling or another, to where a server must not go: each is refused unsent."""

CORPUS = (
    # Loopback, spelled as people and libraries do
    "http://127.0.0.1/", "http://127.1/", "http://127.0.1/", "http://127.127.127.127/", "http://2130706433/",
    "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://017700000001/", "http://0/",
    "http://0.0.0.0/", "http://localhost/", "http://localhost./", "http://LOCALHOST/", "http://127.0.0.1./",
    "http://localhost.localdomain/", "http://ip6-localhost/", "http://127.0.0.1:8080/", "https://127.0.0.1/",
    "https://localhost:8443/",
    # IPv6 and what it wraps
    "http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/", "http://[2001:0:7f00:1::]/", "http://[fe80::1]/", "http://[fec0::1]/",
    "http://[fc00::1]/", "http://[fd00:ec2::254]/", "http://[ff02::1]/", "http://[2001:db8::1]/",
    # Private networks and clouds' own services
    "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://100.64.0.1/", "http://169.254.169.254/",
    "http://169.254.169.254/latest/meta-data/", "http://0xa9fea9fe/", "http://2852039166/", "http://169.254.43518/",
    "http://100.100.100.200/", "http://192.0.0.192/", "http://168.63.129.16/", "http://198.18.0.1/",
    "http://224.0.0.1/", "http://255.255.255.255/", "http://240.0.0.1/", "http://203.0.113.1/",
    # Not the web, or not an address
    "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:11211/",
    "unix:///run/docker.sock", "//127.0.0.1/", "http:///", "http://", "http://[::1", "http://127.0.0.1:99999/",
    "http://127.0.0.1:22/", "http://127.0.0.1:0/", "http://127.0.0.1:6379/",
    # A host hidden from whoever reads in a hurry
    "http://example.com@127.0.0.1/", "http://127.0.0.1#@example.com/", "http://127.0.0.1\\@example.com/",
    "http://127.0.0.1%2f@example.com/", "http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://127.0.0.1\t/",
    "http://\u200b127.0.0.1/", "http://user:secret@10.0.0.1/", "http://127.0.0.1%00.example.com/",
)  # fmt: skip
