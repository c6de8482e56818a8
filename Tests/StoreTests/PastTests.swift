import Alliance
import GRDB
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: past states")
struct PastTests {
    @Test("At every size, the rows and histories that the log had then", arguments: [UInt64(1), 2, 3])
    func rows(seed: UInt64) async throws {
        try await withStore { store, alliance in
            var history = try RandomHistory(alliance, seed: seed)
            for _ in 0..<8 { try history.grow() }
            for batch in history.batches { try await store.follow(history.log, [batch]) }
            let name = history.log.member.log.name
            var replayed = try alliance.log()
            for batch in history.batches {
                try replayed.receive(batch)
                let size = UInt64(replayed.entries.count)
                for map in ["vasp-licences", "vasp-licences/domains"] {
                    // A page of three at a time, so that cursors are used.
                    var rows: [PastRow] = []
                    var after: String?
                    repeat {
                        let page = try await store.pastRows(of: name, map: map, below: size, after: after, limit: 3)
                        rows += page.rows
                        after = page.last
                    } while after != nil
                    let due = replayed.rows.filter { $0.key.map == map }
                    #expect(Set(rows.map(\.key)) == Set(due.keys.map { String(decoding: $0.key, as: UTF8.self) }))
                    for row in rows {
                        let key = RowKey(map: map, key: row.key)
                        let steps = try await store.history(of: key, in: name, below: size)
                        #expect(steps == (history.history[key] ?? []).reversed().filter { $0 < size })
                        if let present = row.present {
                            #expect(present == due[key])
                        } else {
                            #expect(row.history == steps && !steps.isEmpty)
                            let placed = try steps.map {
                                PlacedStatement(
                                    index: $0, statement: try Statement(parsing: history.log.entries[Int($0)]))
                            }
                            #expect(RowReplay(of: key, after: placed).row == due[key])
                        }
                    }
                }
            }
        }
    }

    @Test("First quorums by size, the largest first, each with the charter that its leaf names")
    func quorums() async throws {
        try await withStore { store, alliance in
            var history = try RandomHistory(alliance, seed: 4)
            for _ in 0..<4 { try history.grow() }
            let name = history.log.member.log.name
            var sizes: [UInt64] = []
            for (position, batch) in history.batches.enumerated() {
                try await store.follow(history.log, [batch])
                let head = try history.log.head(Int(sizes.last ?? 0) + batch.count).checkpoint
                sizes.append(head.size)
                let time = UInt64(100 * (position + 1))
                try await store.keep(
                    [StoredCosignature("sv", time, head), StoredCosignature("us", time + 7, head)], of: name,
                    size: head.size, root: head.root)
            }
            let all = try await store.firstQuorums(of: name, below: nil, limit: 100)
            #expect(all.map(\.size) == sizes.reversed())
            #expect(all.allSatisfy { $0.charterVersion == 1 && $0.signatures.count == 3 })
            let root = try await store.root(of: name, at: sizes[1])
            #expect(all[all.count - 2].root == root)
            let page = try await store.firstQuorums(of: name, below: sizes[3], limit: 2)
            #expect(page.map(\.size) == [sizes[2], sizes[1]])
            #expect(try await store.firstQuorums(of: name, below: sizes[0], limit: 2).isEmpty)
        }
    }
}
