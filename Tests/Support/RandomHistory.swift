public import Alliance
public import TransparencyLog

/// A generator whose numbers follow from its seed (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// A log that grew by batches of everything that can stand in one: what counts, what is replaced or taken back, what
/// cannot count, what is no statement at all.
public struct RandomHistory {
    public private(set) var log: MemoryLog
    /// The entries of every batch, its state leaf included.
    public private(set) var batches: [[[UInt8]]] = []
    /// For every key, the statements that touched it, newest first.
    public private(set) var history: [RowKey: [UInt64]] = [:]
    private var random: SeededGenerator
    private var licences: [(entry: [UInt8], key: String)] = []

    /// The log of `pk` after its beginning.
    public init(_ alliance: TestAlliance, seed: UInt64) throws {
        log = try alliance.log()
        random = SeededGenerator(seed: seed)
        var first = try alliance.log()
        try first.begin()
        try append(Array(first.entries.dropLast()))
    }

    /// Adds a batch of these statements.
    public mutating func append(_ statements: [[UInt8]]) throws {
        let start = log.entries.count
        let outcome = try log.publish(statements)
        batches.append(Array(log.entries[start...]))
        for (index, key) in outcome.history where history[key]?.first != index {
            history[key, default: []].insert(index, at: 0)
        }
    }

    /// Adds a batch drawn at random.
    public mutating func grow() throws {
        let statements = try (0..<Int.random(in: 1...6, using: &random)).map { _ in try statement() }
        try append(statements)
    }

    private mutating func statement() throws -> [UInt8] {
        let number = Int.random(in: 0..<40, using: &random)
        let key = "PK-\(number)"
        let domains = ["a\(number % 7).example", "b\(number % 5).example"]
        switch Int.random(in: 0..<12, using: &random) {
        case 0: return Array("no statement \(random.next())".utf8)
        case 1:
            // A leaf would end the batch.
            let statements = log.entries.filter { !$0.starts(with: StateLeaf.familyPrefix) }
            return statements[Int.random(in: 0..<statements.count, using: &random)]
        case 2: return try log.licence(key, by: "carla")
        case 3: return try log.context().licence(key).signed(by: TestAlliance.officer("ayesha", key: "stolen"))
        case 4: return try log.nextRoster { $0.twoOfficers = [] }
        case 5:
            guard let old = licences.randomElement(using: &random) else { break }
            return try log.retraction(of: [old])
        case 6, 7:
            guard let old = licences.randomElement(using: &random) else { break }
            return try keep(
                log.licence(
                    old.key, "suspended", domains: Array(domains.prefix(number % 3)),
                    supersedes: [HashValue.sha256(old.entry)]), old.key)
        default: break
        }
        return try keep(log.licence(key, domains: Array(domains.prefix(number % 3))), key)
    }

    private mutating func keep(_ entry: [UInt8], _ key: String) -> [UInt8] {
        licences.append((entry, key))
        return entry
    }
}

extension DraftContext {
    /// A licence as it is drafted.
    public func licence(_ key: String, status: String = "authorised") -> Draft {
        attestation(
            register: "vasp-licences", key: key, status: status, validFrom: Timestamp(seconds: TestAlliance.start),
            fields: ["legalName": .string("Firm \(key)"), "licenceNumber": .string(key)])
    }
}

extension MemoryLog {
    /// The note of a checkpoint with the log's signature alone.
    public func head(_ size: Int? = nil) throws -> (checkpoint: Checkpoint, note: [UInt8]) {
        let note = try note(size: size, cosigned: [])
        return (try Checkpoint(parsing: note.text), note.bytes)
    }
}
