import Alliance
import GRDB
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: charters that follow")
struct StoreCharterTests {
    /// A log of `us` with one licence before the cut and one behind it, and the charters.
    private struct Fixture {
        let first: SignedCharter
        let second: SignedCharter
        let log: MemoryLog
        let batches: [[[UInt8]]]
        let cut: UInt64

        init() throws {
            first = try TestCharters.first()
            var log = MemoryLog(
                member: try #require(first.unverified.member(named: "us")), charter: try first.verifyFirst())
            try log.begin()
            try log.publish([try log.licence("US-1")])
            let cut = UInt64(log.entries.count)
            try log.publish([try log.licence("US-2")])
            self.log = log
            self.cut = cut
            batches = Fixture.batches(of: log.entries)
            second = try TestCharters.next(first) { charter in
                charter.members[2].standing = .suspended
                charter.cuts = [try TestCharters.cut("us", at: cut)]
            }
        }

        static func batches(of entries: [[UInt8]]) -> [[[UInt8]]] {
            var batches: [[[UInt8]]] = []
            var batch: [[UInt8]] = []
            for entry in entries {
                batch.append(entry)
                guard entry.starts(with: StateLeaf.familyPrefix) else { continue }
                batches.append(batch)
                batch = []
            }
            return batches
        }

        /// What counts under a chain, counted from the start.
        func counted(under chain: CharterChain) throws -> MemoryLog {
            var counted = try MemoryLog(origin: log.member.log.name, chain: chain)
            for batch in batches { try counted.receive(batch) }
            return counted
        }
    }

    @Test("A cut below what is held: counted again, as if it had been known from the start, across a restart too")
    func cutBelow() async throws {
        let fixture = try Fixture()
        let chain = try TestCharters.chain(fixture.first, fixture.second)
        let expected = try fixture.counted(under: chain)
        try await withFolder { folder in
            let store = try Store(folder: folder)
            try await store.install(try TestCharters.chain(fixture.first), check: check)
            try await store.follow(fixture.log, fixture.batches)
            try await store.expectSame(as: fixture.log)
            try await store.install(chain, check: check)
            try await store.expectSame(as: expected)
            let name = fixture.log.member.log.name
            #expect(try await !store.state(of: name).isJudged)
            // Nothing is cosigned where nothing is compared; what stands before the cut may be.
            let head = try fixture.log.head(nil)
            await #expect(throws: StoreError.self) {
                try await store.cosign(name, size: head.checkpoint.size, root: head.checkpoint.root) {
                    throw Refused()
                }
            }
            try store.close()
        }
        try await withFolder { folder in
            try await self.installed(folder, fixture, chain)
            try await self.reopened(folder, chain, expected)
            let audit = try FolderAudit(
                folder: folder, chain: chain, options: AuditOptions(member: TestAlliance.id("pk")), check: check)
            let report = try audit.run()
            let wrong = report.findings.counts.keys.filter {
                $0.rawValue.hasPrefix("derived") || $0 == .charterDifferent
            }
            #expect(wrong.isEmpty)
        }
    }

    private func installed(_ folder: String, _ fixture: Fixture, _ chain: CharterChain) async throws {
        let store = try Store(folder: folder)
        try await store.install(try TestCharters.chain(fixture.first), check: check)
        try await store.follow(fixture.log, fixture.batches)
        try await store.install(chain, check: check)
        try store.close()
    }

    private func reopened(_ folder: String, _ chain: CharterChain, _ expected: MemoryLog) async throws {
        let store = try Store(folder: folder)
        let files = try await store.charterFiles()
        #expect(files == chain.all.map(\.file))
        try await store.install(chain, check: check)
        try await store.expectSame(as: expected)
        try store.close()
    }

    @Test("Known before or after its entries: the same")
    func orderOfArrival() async throws {
        let fixture = try Fixture()
        let chain = try TestCharters.chain(fixture.first, fixture.second)
        let expected = try fixture.counted(under: chain)
        for known in 0...fixture.batches.count {
            try await withFolder { folder in
                let store = try Store(folder: folder)
                try await store.install(try TestCharters.chain(fixture.first), check: check)
                if known > 0 {
                    try await store.follow(fixture.log, Array(fixture.batches[..<known]))
                }
                try await store.install(chain, check: check)
                if known < fixture.batches.count {
                    try await store.follow(fixture.log, Array(fixture.batches[known...]))
                }
                try await store.expectSame(as: expected)
                try store.close()
            }
        }
    }

    @Test("Two charters of one version are both kept; what they would cut stands until it is decided")
    func contested() async throws {
        let fixture = try Fixture()
        let other = try TestCharters.next(fixture.first, by: ["pk", "us"]) { $0.alliance = "Other" }
        let contested = try TestCharters.chain(fixture.first, fixture.second, other)
        try await withFolder { folder in
            let store = try Store(folder: folder)
            try await store.install(try TestCharters.chain(fixture.first), check: check)
            try await store.follow(fixture.log, fixture.batches)
            try await store.install(try TestCharters.chain(fixture.first, fixture.second), check: check)
            try await store.install(contested, check: check)
            try await store.expectSame(as: fixture.log)
            #expect(try await store.charterFiles().count == 3)
            // A node never forgets a charter.
            let error = await #expect(throws: StoreError.self) {
                try await store.install(try TestCharters.chain(fixture.first), check: check)
            }
            #expect(error?.code == .rollback)
            let third = try TestCharters.next(fixture.second, by: ["pk", "sv", "us"]) { $0.alliance = "Third" }
            var decided = contested
            try decided.add(third)
            #expect(!decided.isContested)
            try await store.install(decided, check: check)
            try await store.expectSame(as: try fixture.counted(under: decided))
            try store.close()
        }
    }

    @Test("A leaf alone names the charter in force")
    func leafAlone() async throws {
        let first = try TestCharters.first()
        let second = try TestCharters.next(first, by: ["pk", "sv"]) { $0.alliance = "Second" }
        try await withFolder { folder in
            let store = try Store(folder: folder)
            try await store.install(try TestCharters.chain(first), check: check)
            var log = try MemoryLog(origin: try origin(), chain: CharterChain(first.verifyFirst()))
            try log.begin()
            try await store.publish([Array(log.entries.dropLast())])
            try await store.install(try TestCharters.chain(first, second), check: check)
            let before = try await store.log(try origin()).size
            let published = try await store.publish([])
            #expect(published.note != nil && published.results.isEmpty)
            let state = try await store.state(of: try origin())
            #expect(state.size == before + 1 && state.charterVersion == 2 && state.isJudged)
            try store.close()
        }
    }
}
