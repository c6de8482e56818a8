import Foundation
import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// Incremental computation equals recomputation, and publishers and receivers derive the same, over random histories.
@Suite("Random histories")
struct HistoryTests {
    static var seeds: [UInt64] {
        if let text = ProcessInfo.processInfo.environment["ENTENTE_SEED"], let seed = UInt64(text) { return [seed] }
        return Array(0..<300)
    }

    @Test("Publisher, receiver and one that resumes from its store agree at every batch", arguments: seeds)
    func agree(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        var history = History(log: try TestAlliance().log(), random: random)
        try history.log.begin(twoOfficers: seed % 3 == 0 ? ["vasp-licences"] : [])
        random = SplitMix(seed: seed &+ 1_000_003)
        var receiver = try TestAlliance().log()
        try receiver.receive(history.log.entries)
        for _ in 0..<Int.random(in: 2...5, using: &random) {
            let batch = try history.batch()
            var resumed = receiver
            resumed.state = try resumed.storedState()
            let sealed = try history.log.publish(batch)
            let received = try receiver.receive(batch + [sealed.leaf.bytes])
            let again = try resumed.receive(batch + [sealed.leaf.bytes])
            expectSame(sealed, received)
            expectSame(sealed, again)
            #expect(receiver.rows == history.log.rows && resumed.rows == history.log.rows)
            try history.log.expectMapsHoldRows()
        }
        try history.log.expectRowsAreRecomputed()
    }

    private func expectSame(_ one: BatchOutcome, _ other: BatchOutcome) {
        #expect(one.verdicts == other.verdicts)
        #expect(one.leaf == other.leaf && one.end == nil && other.end == nil)
        #expect(one.rows.map(\.key) == other.rows.map(\.key) && one.rows.map(\.row) == other.rows.map(\.row))
        #expect(one.history.map(\.index) == other.history.map(\.index))
        #expect(one.history.map(\.key) == other.history.map(\.key))
        #expect(one.maps.map(\.name) == other.maps.map(\.name))
        #expect(one.maps.map(\.map.root) == other.maps.map(\.map.root))
        #expect(one.documents == other.documents)
    }
}

/// A small generator with a seed: the same numbers in every process.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Makes batches of everything that officers do, well and badly.
struct History {
    var log: MemoryLog
    var random: SplitMix
    private var licences: [(entry: [UInt8], key: String)] = []
    private static let leis = [RowTests.lei, RowTests.otherLEI]

    init(log: MemoryLog, random: SplitMix) {
        self.log = log
        self.random = random
    }

    mutating func batch() throws -> [[UInt8]] {
        var batch: [[UInt8]] = []
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            let entry = try entry()
            batch.append(entry)
            if Bool.random(using: &random) { batch.append(try log.approval(of: [entry], by: person())) }
            if Int.random(in: 0..<12, using: &random) == 0 { batch.append(entry) }
        }
        return batch
    }

    private mutating func person() -> String {
        ["ayesha", "bilal", "carla", "nobody"][min(3, Int.random(in: 0..<9, using: &random) / 2 % 4)]
    }

    private mutating func entry() throws -> [UInt8] {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: return try log.nextRoster { $0.twoOfficers = $0.twoOfficers.isEmpty ? ["vasp-licences"] : [] }
        case 1:
            let person = ["bilal", "carla"].randomElement(using: &random) ?? "bilal"
            return try log.nextRoster { $0.officers.removeAll { $0.name == person } }
        case 2: return try log.definition("warnings")
        case 3: return Array("nonsense \(Int.random(in: 0...9, using: &random))".utf8)
        case 4, 5, 6, 7:
            let targets = (0...1).compactMap { _ in licences.randomElement(using: &random) }
            guard !targets.isEmpty else { return try log.licence("PK-0") }
            let unique = targets.count > 1 && targets[0].entry == targets[1].entry ? [targets[0]] : targets
            return try log.retraction(of: unique.map { ($0.entry, $0.key) }, by: person())
        default: return try licence()
        }
    }

    private mutating func licence() throws -> [UInt8] {
        let key = "PK-\(Int.random(in: 0..<4, using: &random))"
        var supersedes: Set<HashValue> = []
        for one in licences where Int.random(in: 0..<3, using: &random) == 0 {
            supersedes.insert(HashValue.sha256(one.entry))
        }
        if Int.random(in: 0..<4, using: &random) == 0 { supersedes.insert(HashValue.sha256("foreign")) }
        let domains = ["a.example", "b.example"].filter { _ in Bool.random(using: &random) }
        let entry = try log.licence(
            key, ["authorised", "suspended", "revoked"].randomElement(using: &random) ?? "revoked",
            from: TestAlliance.start + Int64.random(in: 0..<3, using: &random),
            lei: Self.leis.randomElement(using: &random),
            domains: domains, supersedes: supersedes.sorted(), by: person())
        licences.append((entry, key))
        return entry
    }
}

extension MemoryLog {
    /// The state as a store would load it.
    func storedState() throws -> LogState {
        let definitions = rows.filter { $0.key.map == ReservedMap.registers }.map {
            entries[Int($0.value.items[0].index)]
        }
        var frontier = TreeFrontier()
        for entry in entries { frontier.append(MerkleTree.leafHash(entry)) }
        return try LogState(
            origin: member.log.name, chain: state.chain, frontier: frontier, lines: Array(state.lines.values),
            end: state.end, roster: state.roster.map { ($0.index, entries[Int($0.index)]) }, definitions: definitions,
            last: entries.last)
    }

    /// Derives the rows of the licences again by a slow reading of the rules, from the counted entries alone.
    func expectRowsAreRecomputed(at location: SourceLocation = #_sourceLocation) throws {
        var live: [String: [UInt64]] = [:]
        var emptied: [String: UInt64] = [:]
        var values: [UInt64: Attestation] = [:]
        var places: [HashValue: UInt64] = [:]
        for (position, bytes) in entries.enumerated() {
            let identity = HashValue.sha256(bytes)
            if places[identity] == nil { places[identity] = UInt64(position) }
        }
        func remove(_ index: UInt64, _ key: String, by: UInt64) {
            guard live[key]?.contains(index) == true else { return }
            live[key]?.removeAll { $0 == index }
            if live[key]?.isEmpty == true { emptied[key] = by }
        }
        for (position, bytes) in entries.enumerated() where verdicts[position] == .counted {
            let index = UInt64(position)
            guard case .statement(let statement) = LogEntry(bytes) else { continue }
            switch statement.body {
            case .attestation(let attestation):
                values[index] = attestation
                for reference in attestation.supersedes {
                    guard let old = places[reference], old < index else { continue }
                    live[attestation.key]?.removeAll { $0 == old }
                }
                live[attestation.key, default: []].append(index)
            case .retraction(let retraction):
                for target in retraction.targets {
                    guard statement.signer.keyName != "carla", let old = places[target.identity] else { continue }
                    remove(old, target.key, by: index)
                }
            default: break
            }
        }
        for (key, indices) in live {
            let row = rows[RowKey(map: "vasp-licences", key: key)]
            #expect(row?.inForce.map(\.index) == indices, sourceLocation: location)
            if indices.isEmpty {
                #expect(row?.items.map(\.index) == emptied[key].map { [$0] }, sourceLocation: location)
            }
        }
        // A lookup's row holds exactly the statements in force that have its value.
        for (key, row) in rows where key.map.hasPrefix("vasp-licences/") {
            let field = String(key.map.dropFirst("vasp-licences/".count))
            let value = String(decoding: key.key, as: UTF8.self)
            let due = live.values.joined().filter { values[$0]?.has(value, in: field) == true }.sorted()
            #expect(row.inForce.map(\.index) == due, sourceLocation: location)
        }
    }
}
