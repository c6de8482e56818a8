import Alliance
import HTTPTypes
import Hummingbird
import NIOCore
import Store
import TransparencyLog

// The charters that the node holds, and how the operator hands it another.

extension LocalRoutes {
    /// The file of a charter: the one in force, that of `version`, or that of `digest`.
    func charterFile(_ query: LocalQuery) throws -> Response {
        let chain = identity.chain
        var found: VerifiedCharter? = chain.current
        if let text = query.text("digest") {
            found = HashValue(hex: text).flatMap { chain.charter($0) }
        } else if query.text("version") != nil {
            found = chain.version(Int(try query.number("version", default: 0, most: 1_000_000)))
        }
        guard let found else {
            throw LocalError(
                .notFound, "unknown",
                "this node does not hold that charter; version \(chain.current.charter.version) is in force")
        }
        return LocalAnswer.bytes(found.file, type: "application/json")
    }

    /// Every charter that is held, the oldest first.
    var chartersView: JSONValue {
        let chain = identity.chain
        let decided = Set(chain.versions.map(\.digest))
        return [
            "inForce": .integer(Int64(chain.current.charter.version)), "contested": .bool(chain.isContested),
            "charters": .array(
                chain.all.map { one in
                    let state =
                        one.digest == chain.current.digest
                        ? "in-force"
                        : decided.contains(one.digest)
                            ? "followed"
                            : one.charter.version > chain.current.charter.version ? "undecided" : "passed-over"
                    return [
                        "version": .integer(Int64(one.charter.version)), "digest": .string(one.digest.hex),
                        "fingerprint": .string(one.fingerprint), "issued": .string(one.charter.issued.text),
                        "expires": .string(one.charter.expires.text), "state": .string(state),
                    ]
                }),
        ]
    }

    /// Where each log could be cut: its newest checkpoint that a quorum of others holds and checked; or, where the log
    /// names a charter that is contested, before the batch that does.
    func cuts() async throws -> [JSONValue] {
        var found: [JSONValue] = []
        for member in charter.members {
            if let end = try await store.state(of: member.log.name).end, end.reason == .otherCharter {
                found.append([
                    "member": .string(member.name), "origin": .string(member.log.name),
                    "size": .integer(Int64(end.index)),
                    "root": .string(try await store.root(of: member.log.name, at: end.index).base64url),
                ])
                continue
            }
            guard let quorum = try await store.checkpoints(of: member.log.name).quorum else {
                // A log under a new key that nobody holds yet ends no earlier than where it begins.
                let begins = try await store.state(of: member.log.name).governance.predecessor
                if let begins {
                    found.append([
                        "member": .string(member.name), "origin": .string(member.log.name),
                        "size": .integer(Int64(begins.size)), "root": .string(begins.root.base64url),
                    ])
                    continue
                }
                found.append([
                    "member": .string(member.name), "origin": .string(member.log.name), "size": 0,
                    "root": .string(MerkleTree.emptyRoot.base64url),
                ])
                continue
            }
            found.append([
                "member": .string(member.name), "origin": .string(member.log.name),
                "size": .integer(Int64(quorum.size)), "root": .string(quorum.root.base64url),
            ])
        }
        return found
    }

    /// Takes up a charter that the operator hands in.
    func adopt(_ request: Request) async throws -> Response {
        let body = Array(buffer: try await request.body.collect(upTo: SignedCharter.byteLimit))
        if query(request).text("expired") == nil, let expired = expired(body) { throw Self.error(expired) }
        let before = identity.chain.current
        switch await charters.take(body) {
        case .adopted(let chain): return answer(chain, isNew: true, before)
        case .held(let chain): return answer(chain, isNew: false, before)
        case .refused(let refusal): throw Self.error(refusal)
        case .failed(let reason): throw LocalError(.serviceUnavailable, "failed", reason)
        }
    }

    /// Why a charter that is new here comes too late; nil where it does not.
    private func expired(_ file: [UInt8]) -> CharterRefusal? {
        guard let signed = try? SignedCharter(parsing: file), identity.chain.charter(signed.digest) == nil,
            signed.unverified.expires.seconds <= Clock.seconds
        else { return nil }
        return CharterRefusal(
            .expired, "it expired on \(signed.unverified.expires.dateText), if this node's clock is right")
    }

    private func answer(_ chain: CharterChain, isNew: Bool, _ before: VerifiedCharter) -> Response {
        LocalAnswer.json([
            "new": .bool(isNew), "version": .integer(Int64(chain.current.charter.version)),
            "fingerprint": .string(chain.current.fingerprint), "contested": .bool(chain.isContested),
            "changes": CharterDiff(from: before.charter, to: chain.current.charter).json["changes"] ?? .array([]),
        ])
    }

    private static func error(_ refusal: CharterRefusal) -> LocalError {
        let status: HTTPResponse.Status = refusal.code == .malformed ? .badRequest : .conflict
        return LocalError(status, refusal.code.rawValue, "the charter is refused: \(refusal.reason)")
    }
}
