"""A member whose node is not Entente's: its keys, certificates, member file, roster and log are made here, from the
specification alone. It has no address, so it dials the others."""

import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import logs
import wire
from alliance import member_id, origin
from certificates import Authority, Identity, key_digest
from statements import KINDS, Speaker, base64url


class Stranger:
    """Made before the charter; ``join`` afterwards."""

    def __init__(self, folder, name):
        self.name, self.id, self.origin = name, member_id(name), origin(name)
        self.root, self.log_key, self.replica, self.officer_key = (Ed25519PrivateKey.generate() for _ in range(4))
        self.authority = Authority.new(name)
        leaf, key = self.authority.leaf(self.id)
        self.identity = Identity(folder / f"{name}-tls", leaf, key, self.authority.certificate)
        self.tls_digest = key_digest(key.public_key())
        self.file = folder / f"{name}.member"
        self.file.write_text(
            json.dumps(
                {
                    "entente-member": 1,
                    "id": self.id,
                    "name": name,
                    "title": f"Stranger {name}",
                    "country": "XS",
                    "zone": "Etc/UTC",
                    "role": "observer",
                    "rootKeys": [{"name": "root-1", "key": base64url(logs.public_bytes(self.root))}],
                    "rootThreshold": 1,
                    "ca": base64url(self.authority.key_digest),
                    "log": logs.vkey(self.origin, logs.ED25519, self.log_key),
                    "replica": logs.vkey(f"{name}.alliance.example/replica", logs.COSIGNATURE, self.replica),
                    "addresses": [],
                }
            )
        )

    def join(self, alliance):
        """Begins the log: the roster, and a state leaf."""
        self.alliance = alliance
        self.officer = Speaker(self.officer_key, self.id, "eve", alliance.digest)
        self.log = logs.Log(self.origin, self.log_key, alliance.digest)
        root = Speaker(self.root, self.id, "root-1", alliance.digest)
        roster = root.sign(
            "roster",
            root.claims()
            | {
                "ordinal": 0,
                "previous": None,
                "officers": [{"name": "eve", "key": logs.jwk(self.officer_key), "kinds": KINDS}],
                "twoOfficers": [],
                "nodes": [{"name": "probe", "addresses": [], "tls": [base64url(self.tls_digest)]}],
            },
        )
        self.log.add(roster, ("@rosters", "0"))
        self.log.seal()
        return self

    def publish(self, log, *keys, false=False):
        """Adds a batch to a log: the register's definition where it is missing, and an entry for each key."""
        if "vasp-licences" not in log.maps.get("@registers", {}):
            definition = next(iter(self.alliance)).get("/v1/context", register="vasp-licences")["definition"]
            log.add(
                self.officer.definition("vasp-licences", definition["version"], definition["descriptor"]),
                ("@registers", "vasp-licences"),
            )
        for key in keys:
            statement = self.officer.attestation(
                "vasp-licences", key, "authorised", legalName=f"Firm {key}", competentAuthority="Stranger"
            )
            log.add(statement, ("vasp-licences", key))
        log.seal(false=false)
        return log

    # Connecting

    def dial(self, node):
        return wire.Session(node.port, self.identity, node.folder / "tls" / "authority.pem")

    def session(self, node):
        """A session whose beginning has been said."""
        session = self.dial(node)
        session.send(wire.hello(self.alliance.digest, self.id))
        session.wait(wire.HELLO)
        return session

    def push(self, node, request, answer):
        """Sends a range that the node asked for; returns the status."""
        return wire.request(
            node.port,
            self.identity,
            node.folder / "tls" / "authority.pem",
            "POST",
            f"/peer/v1/pushed-range/{self.origin}?request={request}",
            body=answer,
        )[0]

    def offer(self, node, session, head, answer):
        """Offers a head, waits until the node asks for a range of this log, and answers with what `answer` makes of
        where it starts; returns the status that this gets."""
        session.send(wire.head(head))
        request, start = self.wanted(session)
        return self.push(node, request, answer(start))

    def wanted(self, session):
        """The number and the start of the range of this log that the node asks for."""
        fields = session.wait(
            wire.WANT_RANGE, matching=lambda one: one.integer() and one.text() == self.origin.encode()
        )
        number, _, start = fields.integer(), fields.text(), fields.integer()
        return number, start

    def serve(self, node, session, log=None):
        """Serves the log as it is, honestly, until the node has cosigned its head."""
        log = log or self.log
        status = self.offer(node, session, log.head(), lambda start: log.range(start))
        assert status == 204, status
        self.cosigned(node, session, log)

    def cosigned(self, node, session, log):
        """Waits for the node's own cosignature of the log's head."""

        def is_ours(fields):
            name, size, root = fields.text(), fields.integer(), fields.take(32)
            lines = fields.items()
            return (name, size, root) == (self.origin.encode(), log.size, log.root()) and any(
                f"{node.name}.alliance.example/replica".encode() in line for line in lines
            )

        session.wait(wire.SIGNATURES, matching=is_ours)
