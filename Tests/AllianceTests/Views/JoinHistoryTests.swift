import Alliance
import TestSupport
import Testing

/// A few of the histories that entente-histories plays by the hundred thousand in a release build.
@Suite("Histories of joined registers")
struct JoinHistoryTests {
    @Test("However it spreads, equal sets give equal views, and a second implementation agrees")
    func agree() throws {
        let definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        var tally = JoinTally()
        for seed in UInt64(0)..<300 { tally.add(try JoinHistory.play(seed: seed, definition: definition)) }
        // Everything that the rules tell apart did occur.
        #expect(tally.conflicts > 100 && tally.endorsed > 10 && tally.unendorsed > 100)
        for standing in JoinedEntry.Standing.allCases { #expect((tally.standings[standing.rawValue] ?? 0) > 100) }
    }

    @Test("What signed logs count, with officers that come and go and entries that stand twice, is joined alike")
    func counted() throws {
        let definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        var tally = JoinTally()
        for seed in UInt64(0)..<40 { tally.add(try CountedJoinHistory.play(seed: seed, definition: definition)) }
        #expect(tally.views > 200 && tally.conflicts > 0)
        for standing in JoinedEntry.Standing.allCases { #expect((tally.standings[standing.rawValue] ?? 0) > 0) }
    }

    @Test("A second implementation that ranks two statuses the other way round is found to differ")
    func differ() throws {
        let definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        var words = definition.statuses.map(\.name)
        words.swapAt(0, words.count - 1)
        #expect(throws: JoinHistory.Failure.self) {
            for seed in UInt64(0)..<200 {
                try JoinHistory.play(seed: seed, definition: definition, misreading: words)
            }
        }
    }
}
