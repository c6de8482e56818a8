import Alliance
import Foundation
import GRDB
import TestSupport
import Testing
import TransparencyLog

@testable import Store

/// A forked log is set back to the checkpoint where counting ends, and comes back where that was set aside.
@Suite("Store: where counting in a forked log ends")
struct ForkSettlingTests {
    let alliance: TestAlliance
    /// The part that both stories have, the story that is held, and the other one; by batch.
    let common: MemoryLog
    let held: MemoryLog
    let other: MemoryLog
    let batches: (held: [[[UInt8]]], other: [[[UInt8]]])

    init() throws {
        alliance = try TestAlliance()
        var log = try alliance.log()
        try log.begin()
        try log.publish([try log.licence("PK-1")])
        common = log
        var held = log
        for number in 2..<6 { try held.publish([try held.licence("PK-\(number)"), try held.licence("PK-1\(number)")]) }
        var other = log
        for number in 7..<9 { try other.publish([try other.licence("PK-\(number)", "revoked")]) }
        (self.held, self.other) = (held, other)
        batches = (Self.batches(held.entries), Self.batches(other.entries))
    }

    private static func batches(_ entries: [[UInt8]]) -> [[[UInt8]]] {
        var batches: [[[UInt8]]] = [[]]
        for entry in entries {
            batches[batches.count - 1].append(entry)
            if entry.starts(with: StateLeaf.familyPrefix) { batches.append([]) }
        }
        return batches.filter { !$0.isEmpty }
    }

    /// A log's first entries alone.
    private func part(_ log: MemoryLog, _ size: Int) throws -> MemoryLog {
        var copy = MemoryLog(member: log.member, charter: log.charter)
        for batch in Self.batches(Array(log.entries[..<size])) { try copy.receive(batch) }
        return copy
    }

    private func end(_ log: MemoryLog, _ size: Int? = nil, by members: [String] = ["sv", "us"]) throws -> Store.ForkEnd
    {
        let note = try log.note(size: size, cosigned: members.map { ($0, 5) })
        let checkpoint = try Checkpoint(parsing: note.text)
        return Store.ForkEnd(
            size: checkpoint.size, root: checkpoint.root,
            note: try SignedNote(text: note.text, signatures: [note.signatures[0]]).bytes,
            full: note.bytes,
            cosignatures: zip(members, note.signatures.dropFirst()).map { name, line in
                StoredCosignature(member: TestAlliance.id(name), time: 5, line: line)
            })
    }

    /// Where each batch ends.
    private func sizes(_ log: MemoryLog) -> [Int] {
        var size = 0
        return Self.batches(log.entries).map { batch in
            size += batch.count
            return size
        }
    }

    /// A store in a folder, which is audited when the body is done with it.
    private func opened(_ body: (Store) async throws -> Void) async throws {
        try await withFolder { folder in
            try await opened(folder, body)
            try isSound(folder)
        }
    }

    private func opened(_ folder: String, _ body: (Store) async throws -> Void) async throws {
        let store = try Store(folder: folder)
        try await store.install(alliance.charter)
        try await body(store)
        try store.close()
    }

    private func isSound(_ folder: String) throws {
        let audit = try FolderAudit(
            folder: folder, chain: CharterChain(alliance.charter),
            options: AuditOptions(member: TestAlliance.id("sv")), check: check)
        let report = try audit.run()
        #expect(report.findings.counts.isEmpty, "\(report.findings)")
    }

    @Test("Entries beyond the end are set aside, and all that is derived is that of a log that never had them")
    func beyond() async throws {
        try await withStore(alliance) { store, _ in
            try await store.follow(held, batches.held)
            let size = sizes(held)[3]
            let result = try await store.settleFork(try origin(), end: try end(held, size), check: check)
            #expect(result.size == UInt64(size) && result.setAside == UInt64(held.entries.count - size))
            try await store.expectSame(as: try part(held, size))
            let record = try await store.log(try origin())
            #expect(record.quorum == UInt64(size) && record.headSize == UInt64(size))
            let note = try SignedNote(parsing: result.head)
            #expect(note.signatures.count == 3)
            // What is set aside can be looked at.
            let branch = try #require(try await store.setAside(of: try origin()).first)
            #expect(branch.base == UInt64(size) && branch.size == UInt64(held.entries.count))
            let entries = try await store.entries(of: branch, from: 0, limit: 1_000)
            #expect(entries.map(\.bytes) == Array(held.entries[size...]))
            // Once more changes nothing; smaller ends do not either.
            for end in [try end(held, size), try end(common)] {
                let again = try await store.settleFork(try origin(), end: end, check: check)
                #expect(again.size == UInt64(size) && again.setAside == 0)
            }
            await #expect(throws: StoreError.self) { try await store.publish([[try await licence(store)]]) }
        }
    }

    private func licence(_ store: Store) async throws -> [UInt8] {
        var log = try part(held, sizes(held)[3])
        return try log.licence("PK-99")
    }

    @Test("Without a quorum nothing is left; a larger end brings entries back, on whichever branch they were set aside")
    func back() async throws {
        try await opened { store in
            let name = try origin()
            try await store.follow(held, batches.held)
            let nothing = try await store.settleFork(name, end: nil, check: check)
            #expect(nothing.size == 0 && nothing.head.isEmpty)
            try await store.expectSame(as: MemoryLog(member: held.member, charter: held.charter))
            // The other story is not held: fetched, as far as it goes.
            let told = try await store.settleFork(name, end: try end(other), check: check)
            #expect(told.size == 0)
            let (first, second) = (sizes(held)[2], sizes(held)[4])
            for size in [first, second] {
                let found = try await store.settleFork(name, end: try end(held, size), check: check)
                #expect(found.size == UInt64(size))
                try await store.expectSame(as: try part(held, size))
            }
            let branch = try #require(try await store.setAside(of: name).first)
            #expect(branch.base == UInt64(second) && branch.size == UInt64(held.entries.count))
            // The rest as well: nothing is set aside any more.
            let whole = try await store.settleFork(name, end: try end(held), check: check)
            #expect(whole.size == UInt64(held.entries.count))
            try await store.expectSame(as: held)
            #expect(try await store.setAside(of: name).isEmpty)
        }
    }

    @Test("The other branch is taken from peers; what was held stays aside, through a restart and an audit")
    func otherBranch() async throws {
        let name = try origin()
        try await withFolder { folder in
            try await opened(folder) { try await moves($0, name) }
            try await opened(folder) { store in
                try await store.expectSame(as: other)
                let branch = try #require(try await store.setAside(of: name).first)
                let entries = try await store.entries(of: branch, from: 0, limit: 1_000)
                #expect(entries.map(\.bytes) == Array(held.entries[common.entries.count...]))
            }
            try isSound(folder)
        }
    }

    private func moves(_ store: Store, _ name: String) async throws {
        try await store.follow(held, batches.held)
        // What both stories have had a quorum here.
        let quorum = try end(common)
        _ = try await store.keepHead(quorum.note, of: name, size: quorum.size, root: quorum.root)
        let result = try await store.settleFork(name, end: quorum, check: check)
        #expect(result.size == UInt64(common.entries.count))
        let told = try await store.settleFork(name, end: try end(other), check: check)
        #expect(told.size == UInt64(common.entries.count), "it is to be fetched")
        try await store.follow(other, Array(batches.other[2...]))
        let done = try await store.settleFork(name, end: try end(other), check: check)
        #expect(done.size == UInt64(other.entries.count) && !done.head.isEmpty)
        try await store.expectSame(as: other)
        // A quorum on the branch that was left, which must not be: what is held stays.
        let late = try await store.settleFork(name, end: try end(held), check: check)
        #expect(late.size == UInt64(other.entries.count))
    }

    @Test("What replicas cosigned beyond the end waits for more cosignatures")
    func waiting() async throws {
        try await withStore(alliance) { store, _ in
            let name = try origin()
            try await store.follow(held, batches.held)
            let newest = try end(held, by: ["sv"])
            try await store.keep(
                newest.cosignatures, of: name, size: newest.size, root: newest.root)
            let result = try await store.settleFork(name, end: nil, check: check)
            #expect(result.waiting.count == 1)
            let note = try SignedNote(parsing: try #require(result.waiting.first))
            #expect(note.signatures.count == 2)
            #expect(try await store.forkHeads()[name]?.count == 1)
            try await store.keepForkHeads([], of: name)
            #expect(try await store.forkHeads().isEmpty)
        }
    }

    @Test(
        "All that this node cosigned beyond the end is remembered, and lines that were told of the same heads with it")
    func ownHeads() async throws {
        var log = common
        var sizes: [Int] = []
        for number in 0..<80 {
            try log.publish([try log.licence("L-\(number)")])
            sizes.append(log.entries.count)
        }
        let (held, all) = (log, sizes)
        try await withStore(alliance) { store, _ in
            let name = try origin()
            let batches = Self.batches(held.entries)
            try await store.follow(held, Array(batches.dropLast(all.count)))
            for (position, (size, batch)) in zip(all, batches.suffix(all.count)).enumerated() {
                try await store.follow(held, [batch])
                let head = try end(held, size, by: [position < 8 ? "us" : "sv"])
                try await store.keep(head.cosignatures, of: name, size: head.size, root: head.root)
            }
            // What a peer told of one of them.
            let told = try end(held, all[0], by: ["imf"])
            try await store.keepForkHeads([told.full], of: name)
            let result = try await store.settleFork(name, end: nil, own: TestAlliance.id("us"), check: check)
            let notes = try result.waiting.map { try SignedNote(parsing: $0) }
            let checkpoints = try notes.map { try Int(Checkpoint(parsing: $0.text).size) }
            // us is this node: its eight, and of those that only others cosigned the newest.
            #expect(checkpoints == (all[..<8] + all[(80 - Store.waitingForkHeads)...]).reversed())
            #expect(notes.last?.signatures.count == 3, "the log's line, ours, and the one that was told")
        }
    }

    @Test("Tiles are cut where they are; proofs and roots go on from there", arguments: [255, 256, 257, 300])
    func tiles(_ size: Int) async throws {
        var log = common
        var ends: [Int] = []
        while log.entries.count < 600 {
            let room = ends.isEmpty ? size - log.entries.count - 1 : 40
            try log.publish(try (0..<max(1, room)).map { try log.licence("K-\(log.entries.count)-\($0)") })
            ends.append(log.entries.count)
        }
        #expect(ends[0] == size)
        let whole = log
        try await opened { store in
            try await store.follow(whole, Self.batches(whole.entries))
            let result = try await store.settleFork(try origin(), end: try end(whole, size), check: check)
            #expect(result.size == UInt64(size))
            #expect(try await store.root(of: try origin(), at: 100) == MerkleTree.root(size: 100, reader: whole))
            try await store.follow(whole, Array(Self.batches(whole.entries)[3...]))
            try await store.expectSame(as: whole)
        }
    }
}
