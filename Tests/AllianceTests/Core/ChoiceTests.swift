import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("The choice at a time")
struct ChoiceTests {
    var log: MemoryLog
    let definition: RegisterDefinition

    init() throws {
        log = try TestAlliance().log()
        definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
    }

    /// Status, start and end of each statement; the answer as its status, or nil.
    private mutating func speaks(
        _ statements: [(String, Int64, Int64?)], at time: Int64
    ) throws -> (status: String, conflict: Int)? {
        var placed: [PlacedAttestation] = []
        for (position, (status, from, until)) in statements.enumerated() {
            let statement = try Statement(parsing: log.licence("PK-1", status, from: from, until: until))
            placed.append(try #require(PlacedAttestation(index: UInt64(position), statement: statement)))
        }
        let choice = Choice(at: time, of: placed, definition: definition)
        // The order in which they are given does not matter.
        let reversed = Choice(at: time, of: placed.reversed(), definition: definition)
        switch (choice, reversed) {
        case (.none, .none): return nil
        case (.speaks(let one, let conflict), .speaks(let other, _)):
            #expect(one.identity == other.identity)
            return (one.attestation.status, conflict.count)
        default:
            Issue.record("the order matters")
            return nil
        }
    }

    @Test("The latest start at or before the time speaks, until its own end")
    mutating func times() throws {
        let row: [(String, Int64, Int64?)] = [("authorised", 100, nil), ("suspended", 200, 300), ("revoked", 400, nil)]
        #expect(try speaks(row, at: 99) == nil)
        #expect(try speaks(row, at: 100)?.status == "authorised")
        #expect(try speaks(row, at: 199)?.status == "authorised")
        #expect(try speaks(row, at: 200)?.status == "suspended")
        #expect(try speaks(row, at: 299)?.status == "suspended")
        // After its end nothing speaks: the older statement is not revived.
        #expect(try speaks(row, at: 300) == nil)
        #expect(try speaks(row, at: 400)?.status == "revoked")
        #expect(try speaks(row, at: Int64.max)?.status == "revoked")
        #expect(try speaks([], at: 0) == nil)
    }

    @Test("Two with the same start are a conflict: the most restrictive is shown, an unknown status most of all")
    mutating func conflicts() throws {
        let two = try speaks([("authorised", 100, nil), ("suspended", 100, nil)], at: 100)
        #expect(two?.status == "suspended" && two?.conflict == 2)
        let three = try speaks([("odd", 100, nil), ("revoked", 100, nil), ("authorised", 50, nil)], at: 100)
        #expect(three?.status == "odd" && three?.conflict == 2)
        let ended = try speaks([("authorised", 100, nil), ("suspended", 100, 150)], at: 150)
        #expect(ended?.status == "authorised" && ended?.conflict == 0)
        let same = try speaks([("authorised", 100, nil), ("authorised", 100, nil)], at: 100)
        #expect(same?.status == "authorised" && same?.conflict == 2)
    }

    @Test("Zones do not matter: instants are compared")
    mutating func zones() throws {
        let karachi = try Statement(parsing: log.licence("PK-1", "authorised", from: 1_000_000, offset: 300))
        let utc = try Statement(parsing: log.licence("PK-1", "revoked", from: 1_000_000, offset: 0))
        let placed = [karachi, utc].enumerated().compactMap {
            PlacedAttestation(index: UInt64($0.offset), statement: $0.element)
        }
        guard case .speaks(let one, let conflict) = Choice(at: 1_000_000, of: placed, definition: definition) else {
            Issue.record("one speaks")
            return
        }
        #expect(one.attestation.status == "revoked" && conflict.count == 2)
    }
}
