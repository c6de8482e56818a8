import Alliance
import NIOCore
import TransparencyLog

/// What became of a plan that was submitted.
public struct PlanPublication: Sendable, Hashable {
    /// The first and the last entry, state leaves between them included.
    public let first: UInt64
    public let last: UInt64
    /// When it was durable, in seconds since 1970; nil where it had been published before.
    public let time: Int64?
    /// Whether every part of it had been published before.
    public let already: Bool
    /// Other members that will hold and check it.
    public let replicas: Int
    /// Changes: statements without approvals.
    public let changes: Int
}

/// Hands a signed plan to the node.
public struct PlanSubmission: Sendable {
    private let client: NodeClient

    public init(client: NodeClient) { self.client = client }

    /// Sends the documents' bytes, then the entries, batch by batch. A plan that was submitted before, or in part, is
    /// taken up where it ended.
    ///
    /// - Parameters:
    ///   - anyway: publish though the register changed since the plan was made.
    ///   - progress: how many entries of how many are published.
    /// - Throws: ``SetupError`` and ``NodeRefusal``.
    public func submit(
        _ plan: Plan, anyway: Bool = false, progress: @Sendable (Int, Int) -> Void = { _, _ in }
    ) async throws -> PlanPublication {
        try checkSigned(plan)
        let context = try await client.get("/v1/context")
        guard context["alliance"]?.string == plan.alliance.hex, context["member"]?["id"]?.string == plan.member else {
            throw SetupError(
                .mismatch, "plan",
                "is of \(plan.title) (\(plan.member)), and this node is another member's or alliance's")
        }
        for document in plan.documents { try await send(document) }
        let batches = plan.batches()
        if !anyway {
            // What came after a part of it was published changes nothing: the rest belongs to it.
            let isBegun = try await checkBase(plan, logSize: UInt64(context["logSize"]?.integer ?? 0))
            if !isBegun { try await ArrivedStatements(client: client).check(plan) }
        }
        var first: UInt64?
        var last: UInt64 = 0
        var time: Int64?
        var already = true
        var replicas = 0
        var done = 0
        var body = Self.body(of: batches.first ?? [])
        for (number, batch) in batches.enumerated() {
            // The next body is written while the node works on this one.
            async let next = number + 1 < batches.count ? Self.encoded(batches[number + 1]) : []
            let answer = try await publish(batch, body, after: done)
            body = await next
            first = min(first ?? .max, UInt64(answer["first"]?.integer ?? 0))
            last = max(last, UInt64(answer["last"]?.integer ?? 0))
            replicas = Int(answer["replicas"]?.integer ?? 0)
            if answer["already"]?.bool != true {
                already = false
                time = answer["time"]?.string.flatMap { Timestamp(parsing: $0)?.seconds }
            }
            done += batch.count
            progress(done, plan.steps.count)
        }
        let changes = plan.signedSteps.count { $0.kind != .approval }
        return PlanPublication(
            first: first ?? 0, last: last, time: time, already: already, replicas: replicas, changes: changes)
    }

    /// A request's body: the statements as a list of JSON texts.
    private static func body(of batch: [[UInt8]]) -> [UInt8] {
        var body = Array("{\"statements\":[".utf8)
        body.reserveCapacity(batch.reduce(64) { $0 + $1.count + 3 })
        for (position, entry) in batch.enumerated() {
            if position > 0 { body.append(UInt8(ascii: ",")) }
            body.append(UInt8(ascii: "\""))
            body += Plan.escaped(entry)
            body.append(UInt8(ascii: "\""))
        }
        body += "]}".utf8
        return body
    }

    @concurrent
    private static func encoded(_ batch: [[UInt8]]) async -> [UInt8] { body(of: batch) }

    private func publish(_ batch: [[UInt8]], _ body: [UInt8], after done: Int) async throws -> JSONValue {
        do {
            return try await client.post("/v1/submit", .bytes(body))
        } catch let refusal as NodeRefusal {
            guard let one = refusal.refused.first else { throw refusal }
            let lines = PlanDescription.lines(of: batch)
            let place =
                lines.indices.contains(one.position) ? lines[one.position] : "statement \(done + one.position + 1)"
            let more = refusal.refused.count == 1 ? "" : " (and \(refusal.refused.count - 1) more)"
            throw SetupError(.mismatch, place, "would not count: \(one.reason)\(more). Nothing of it was published")
        }
    }

    private func checkSigned(_ plan: Plan) throws(SetupError) {
        guard plan.isSigned else {
            throw SetupError(
                .mismatch, "plan", "nobody has signed it; an officer does that with: entente sign PLAN --key NAME")
        }
        let names = plan.signers()
        guard plan.missingRootSignatures == 0 else {
            let left = plan.roots?.keys.map(\.name).filter { !names.signed.contains($0) } ?? []
            throw SetupError(
                .mismatch, "plan",
                "\(plan.missingRootSignatures) more root keys have to sign, of \(left.joined(separator: ", ")): "
                    + "entente sign PLAN --key NAME")
        }
        guard !plan.twoOfficers || !names.approved.isEmpty else {
            throw SetupError(
                .mismatch, "plan",
                "\(plan.title) asks for two officers here, and only \(names.signed.joined(separator: ", ")) signed; "
                    + "another one signs with: entente sign PLAN --key NAME")
        }
    }

    /// Entries that stand in the log since a plan was made, and are looked at.
    static let lookedAt: UInt64 = 100_000

    /// Refuses a plan whose register changed since: what it supersedes or leaves alone may be out of date.
    ///
    /// - Returns: whether some of the plan's own entries stand in the log already.
    private func checkBase(_ plan: Plan, logSize: UInt64) async throws -> Bool {
        guard let register = plan.register, logSize > plan.base else { return false }
        var isBegun = false
        var own: Set<String> = []
        for entry in plan.entries { own.insert(HashValue.sha256(entry).hex) }
        var index = plan.base
        while index < logSize, index < plan.base + Self.lookedAt {
            let page = try await client.get("/v1/entries", [("from", String(index)), ("limit", "1000")])
            let entries = page["entries"]?.array ?? []
            if entries.isEmpty { return isBegun }
            for entry in entries where entry["register"]?.string == register && entry["counts"]?.bool == true {
                guard let identity = entry["identity"]?.string else { continue }
                guard !own.contains(identity) else {
                    isBegun = true
                    continue
                }
                // Versions of different documents do not touch each other.
                if register == ReservedMap.documents, !touches(plan, key: entry["key"]?.string) { continue }
                throw SetupError(
                    .mismatch, "plan",
                    "entry \(entry["index"]?.integer ?? 0) changed \(register) since the plan was made "
                        + "(\(entry["summary"]?.string ?? "")); make the plan anew, or publish it with --anyway")
            }
            index += UInt64(entries.count)
        }
        // Behind what an earlier part of it made, nothing more is looked at.
        guard isBegun || index >= logSize else { throw Self.tooMuch("this member's own log") }
        return isBegun
    }

    /// More was published since than is looked at.
    static func tooMuch(_ log: String) -> SetupError {
        SetupError(
            .mismatch, "plan",
            "more than \(lookedAt) entries came into \(log) since it was made; make the plan anew, or publish it with --anyway"
        )
    }

    private func touches(_ plan: Plan, key: String?) -> Bool {
        PlanDescription(plan).lines.contains { $0.key == key }
    }

    private func send(_ document: PlanDocument) async throws {
        let answer: JSONValue
        if let bytes = document.bytes {
            answer = try await client.post("/v1/documents", .bytes(bytes))
        } else {
            let found = try DocumentFile.inspect(document.path)
            guard found.digest == document.digest else {
                throw SetupError(
                    .mismatch, document.path, "the file changed since the plan was made; make the plan anew")
            }
            let bytes = DocumentFile.Chunks(path: document.path, size: document.size)
            answer = try await client.post("/v1/documents", .stream(bytes, length: document.size))
        }
        guard answer["sha256"]?.string == document.digest.hex else {
            throw SetupError(.mismatch, document.name, "the node received other bytes than the plan names")
        }
    }
}
