import Alliance
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle
import Store
import TestSupport
import Testing
import TransparencyLog

@testable import Node

@Suite("The local interface, over its socket", .timeLimit(.minutes(2)))
struct LocalRoutesTests {
    /// Asks a node of `pk` whose log has two licences; a third is in its row's history alone.
    private func ask(_ body: @escaping @Sendable (LocalClient) async throws -> Void) async throws {
        try await withNode { node, alliance in
            var log = try alliance.log()
            try log.begin()
            let first = try log.licence("PK-1", domains: ["one.example"])
            let mistake = try log.licence("PK-2")
            for batch in [Array(log.entries.dropLast()), [first, mistake]] {
                guard case .published = await node.publisher.submit(batch) else { throw NodeError("refused") }
            }
            let taken = try log.retraction(of: [(mistake, "PK-2")])
            guard case .published = await node.publisher.submit([taken]) else { throw NodeError("refused") }
            try await withFolder { folder in
                let path = "\(folder)/s"
                let listening = Signal()
                let listener = LocalListener(
                    responder: node.localRoutes.router().buildResponder(), path: path, logger: quiet,
                    onListening: { listening.fire() })
                try await withService(listener) {
                    await listening.wait()
                    let client = LocalClient(path: path, logger: quiet)
                    do { try await body(client) } catch {
                        await client.shutdown()
                        throw error
                    }
                    await client.shutdown()
                }
            }
        }
    }

    private static func get(_ client: LocalClient, _ path: String) async throws -> (Int, JSONValue) {
        let response = try await client.get(path)
        let body = try await response.collect(upTo: 1 << 20)
        return (response.status.code, try JSONValue.parse(Array(buffer: body)))
    }

    @Test("Answers, and what they say")
    func answers() async throws {
        try await ask { client in
            for path in [
                "/v1/status", "/v1/peers", "/v1/members", "/v1/context?register=vasp-licences", "/v1/registers",
                "/v1/documents", "/v1/rows?register=vasp-licences", "/v1/rows?register=warnings&member=all",
                "/v1/rows?register=vasp-licences/domains&key=ONE.example",
                "/v1/history?register=vasp-licences&key=PK-1",
                "/v1/entries?from=0&limit=1000", "/v1/entries?from=18446744073709551615&limit=0", "/v1/entry?index=0",
                "/v1/receipts?index=0&wait=sv&timeout=0", "/v1/rows?register=vasp-licences&limit=0",
                "/v1/rows?register=vasp-licences&after=nobody:x",
            ] {
                let (status, _) = try await Self.get(client, path)
                #expect(status == 200, "\(path)")
            }
            let (_, rows) = try await Self.get(client, "/v1/rows?register=vasp-licences&limit=1")
            #expect(rows["rows"]?.array?.first?["key"]?.string == "PK-1" && rows["next"]?.string == "pk:PK-1")
            let (_, next) = try await Self.get(client, "/v1/rows?register=vasp-licences&limit=1&after=pk:PK-1")
            #expect(next["rows"]?.array?.first?["answer"]?.string == "retracted" && next["next"] == .null)
            let (_, history) = try await Self.get(client, "/v1/history?register=vasp-licences&key=PK-2")
            #expect(history["entries"]?.array?.map { $0["kind"]?.string } == ["retraction", "attestation"])
        }
    }

    @Test("From the sizes of logs a past state is answered: rows that came later are not there, what was taken back is")
    func past() async throws {
        try await ask { client in
            let (_, page) = try await Self.get(client, "/v1/entries?limit=1000")
            let size = page["size"]?.integer ?? 0
            // The log ends with a retraction and its leaf; before stand two licences and theirs.
            func rows(_ known: Int64) async throws -> [String] {
                let (status, answer) = try await Self.get(
                    client, "/v1/rows?register=vasp-licences&known=pk:\(known)")
                #expect(status == 200 && answer["known"]?["sizes"]?.string == "pk:\(known)")
                return (answer["rows"]?.array ?? []).map { "\($0["key"]?.string ?? "") \($0["answer"]?.string ?? "")" }
            }
            #expect(try await rows(size) == ["PK-1 present", "PK-2 retracted"])
            #expect(try await rows(size - 2) == ["PK-1 present", "PK-2 present"])
            #expect(try await rows(size - 4) == ["PK-1 present"])
            #expect(try await rows(size - 5) == [])
            #expect(try await rows(0) == [])
            let (_, one) = try await Self.get(
                client, "/v1/rows?register=vasp-licences&key=PK-2&member=pk&known=pk:\(size - 2)")
            #expect(one["rows"]?.array?.first?["status"]?.string == "authorised")
            let (_, lookup) = try await Self.get(
                client, "/v1/rows?register=vasp-licences/domains&key=one.example&known=pk:\(size - 5)")
            #expect(lookup["rows"]?.array?.isEmpty == true)
            let (_, why) = try await Self.get(client, "/v1/why?register=vasp-licences&key=PK-2&known=pk:\(size - 2)")
            #expect(why["explanations"]?.array?.map { $0["status"]?.string } == ["authorised"])
            let (_, all) = try await Self.get(client, "/v1/history?key=PK-2&member=all")
            let relations = all["entries"]?.array?.map {
                "\($0["register"]?.string ?? "") \($0["relation"]?.string ?? "")"
            }
            #expect(relations == ["vasp-licences takes-back", "vasp-licences first"])
        }
    }

    @Test("Bad requests of the corpus: each has its status, its code and its reason")
    func corpus() async throws {
        let cases = try BadInput.cases(of: "local-requests")
        try await ask { client in
            for one in cases {
                let lines = one.bytes.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
                let words = String(decoding: lines[0], as: UTF8.self).split(separator: " ").map(String.init)
                let response =
                    words[0] == "GET"
                    ? try await client.get(words[1]) : try await client.post(words[1], body: .bytes(Array(lines[1])))
                let status = response.status.code
                let body = try JSONValue.parse(Array(buffer: try await response.collect(upTo: 1 << 20)))
                let outcome =
                    status == 200
                    ? .accepted
                    : BadInput.Outcome(
                        code: "\(status) \(body["error"]?["code"]?.string ?? "")",
                        reason: body["error"]?["reason"]?.string ?? "")
                #expect(outcome.fulfils(one.expected), "\(one.name): \(outcome), not \(one.expected)")
                #expect(status == 200 || !outcome.reason.isEmpty, "\(one.name) says nothing")
            }
        }
    }

    @Test("A question for an entry that is to come is answered once it is there")
    func waiting() async throws {
        try await ask { client in
            let (_, page) = try await Self.get(client, "/v1/entries?limit=1")
            let size = page["size"]?.integer ?? 0
            async let coming = Self.get(client, "/v1/entry?index=\(size)&timeout=60")
            let alliance = try TestAlliance()
            var log = try alliance.log()
            try log.begin()
            let body: JSONValue = [
                "statements": .array([.string(String(decoding: try log.licence("PK-3"), as: UTF8.self))])
            ]
            let answer = try await client.post("/v1/submit", body: .bytes(body.encoded()))
            #expect(answer.status.code == 200)
            let (status, entry) = try await coming
            #expect(status == 200 && entry["entry"]?["key"]?.string == "PK-3", "\(entry)")
        }
    }

    @Test("Nonsense is an error with a code and a sentence, and the node goes on")
    func nonsense() async throws {
        try await ask { client in
            let cases: [(String, Int, String)] = [
                ("/v1/prove", 400, "missing"),
                ("/v1/prove?register=/&key=x", 400, "invalid"),
                ("/v1/prove?register=//&key=x", 400, "invalid"),
                ("/v1/prove?register=vasp-licences/&key=PK-1", 400, "invalid"),
                ("/v1/prove?register=%00&key=x", 400, "invalid"),
                ("/v1/prove?register=@rosters&key=0", 404, "unknown"),
                ("/v1/prove?register=nothing&key=x", 404, "unknown"),
                ("/v1/prove?register=vasp-licences/nothing&key=x", 404, "unknown"),
                ("/v1/prove?register=vasp-licences&key=PK-1", 409, "not-yet"),
                ("/v1/prove?register=vasp-licences&key=PK-1&on=yesterday", 400, "invalid"),
                ("/v1/prove?register=vasp-licences/domains&key=not%20a%20domain", 400, "key-form"),
                ("/v1/prove?register=vasp-licences&key=PK-1&member=zz", 404, "unknown"),
                ("/v1/prove?register=vasp-licences&key=PK-1&member=sv", 404, "unknown"),
                ("/v1/rows", 400, "missing"),
                ("/v1/rows?register=@rosters", 400, "invalid"),
                ("/v1/rows?register=/", 400, "invalid"),
                ("/v1/rows?register=vasp-licences&limit=1001", 400, "invalid"),
                ("/v1/rows?register=vasp-licences&limit=-1", 400, "invalid"),
                ("/v1/rows?register=vasp-licences&limit=%2B1", 400, "invalid"),
                ("/v1/rows?register=vasp-licences&on=2026-13-01T00:00:00Z", 400, "invalid"),
                ("/v1/rows?register=nothing", 404, "unknown"),
                ("/v1/history?register=/&key=/", 404, "unknown"),
                ("/v1/rows?register=vasp-licences&known=yesterday", 400, "invalid"),
                ("/v1/rows?register=vasp-licences&known=2999-01-01T00:00:00Z", 400, "future"),
                ("/v1/rows?register=vasp-licences&known=2001-01-01T00:00:00Z", 404, "before-beginning"),
                ("/v1/rows?register=vasp-licences&known=pk:99999", 409, "not-held"),
                ("/v1/rows?register=vasp-licences&known=pk:1,pk:2", 400, "invalid"),
                ("/v1/rows?register=vasp-licences&known=zz:1", 404, "unknown"),
                ("/v1/why?register=vasp-licences", 400, "missing"),
                ("/v1/why?register=@rosters&key=0", 400, "invalid"),
                ("/v1/why?register=nothing&key=x", 404, "unknown"),
                ("/v1/why?register=vasp-licences&key=PK-1&member=zz", 404, "unknown"),
                ("/v1/endorsements", 400, "missing"),
                ("/v1/endorsements?identity=00", 400, "invalid"),
                ("/v1/endorsements?identity=\(String(repeating: "0", count: 64))", 404, "unknown"),
                ("/v1/endorsements?member=pk&index=0", 409, "not-endorsable"),
                ("/v1/endorsements?member=pk&index=99999", 404, "unknown"),
                ("/v1/endorsements?register=@rosters&key=0", 400, "invalid"),
                ("/v1/endorsements?register=nothing&key=x", 404, "unknown"),
                ("/v1/joined?register=vasp-licences&key=PK-1", 400, "invalid"),
                ("/v1/joined?register=@rosters&key=0", 400, "invalid"),
                ("/v1/joined?register=nothing&key=x", 404, "unknown"),
                ("/v1/conflicts?limit=1001", 400, "invalid"),
                ("/v1/conflicts?after=x", 400, "invalid"),
                ("/v1/conflicts?register=nothing", 404, "unknown"),
                ("/v1/history?register=vasp-licences", 400, "missing"),
                ("/v1/entry?index=99999", 404, "unknown"),
                ("/v1/entry?index=18446744073709551615", 400, "invalid"),
                ("/v1/entry?index=1e3", 400, "invalid"),
                ("/v1/entry?index=99999&timeout=1", 404, "unknown"),
                ("/v1/entry?index=99999&timeout=61", 400, "invalid"),
                ("/v1/receipts?index=99999", 404, "unknown"),
                ("/v1/receipts?index=0&wait=zz", 404, "unknown"),
                ("/v1/receipts?index=0&timeout=61", 400, "invalid"),
                ("/v1/receipts?register=vasp-licences&key=PK-9", 404, "unknown"),
                ("/v1/documents/00", 400, "invalid"),
                ("/v1/documents/\(String(repeating: "0", count: 64))", 404, "unknown"),
                ("/v1/documents/../../etc/passwd", 404, "request"),
                ("/v1/nothing", 404, "request"),
                ("/", 404, "request"),
            ]
            for (path, status, code) in cases {
                let (found, body) = try await Self.get(client, path)
                #expect(found == status, "\(path): \(body)")
                if !code.isEmpty {
                    #expect(body["error"]?["code"]?.string == code, "\(path): \(body)")
                    #expect(body["error"]?["reason"]?.string?.isEmpty == false, "\(path): \(body)")
                }
            }
            let bodies: [(String, Int)] = [
                ("", 400), ("[]", 400), ("{}", 400), (#"{"statements":{}}"#, 400), (#"{"statements":[1]}"#, 400),
                (#"{"statements":[""]}"#, 400), (#"{"statements":["x"],"statements":["y"]}"#, 400),
                (#"{"statements":[]}"#, 503), (#"{"statements":["nonsense"]}"#, 409),
                (String(repeating: "[", count: 100_000), 400),
            ]
            for (text, status) in bodies {
                let response = try await client.post("/v1/submit", body: .bytes(Array(text.utf8)))
                let body = try JSONValue.parse(Array(buffer: try await response.collect(upTo: 1 << 20)))
                #expect(response.status.code == status, "\(text.prefix(40)): \(body)")
                #expect(body["error"]?["reason"]?.string?.isEmpty == false, "\(text.prefix(40)): \(body)")
            }
            let (status, _) = try await Self.get(client, "/v1/status")
            #expect(status == 200)
        }
    }
}
