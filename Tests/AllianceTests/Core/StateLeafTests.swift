import Testing
import TransparencyLog

@testable import Alliance

@Suite("State leaves and rows")
struct StateLeafTests {
    static let leaf = StateLeaf(
        entryCount: 12, charterVersion: 1, charterDigest: HashValue.sha256("charter"),
        lines: [
            .init(name: "vasp-licences/lei", count: 3, root: HashValue.sha256("b")),
            .init(name: "vasp-licences", count: 4, root: HashValue.sha256("a")),
            .init(name: "@rosters", count: 1, root: HashValue.sha256("c")),
        ])

    @Test("A leaf has one form, sorted by bytes")
    func form() throws {
        let text = String(decoding: Self.leaf.bytes, as: UTF8.self)
        #expect(text.hasPrefix("entente/state/v1\n12\n1 "))
        #expect(Self.leaf.lines.map(\.name) == ["@rosters", "vasp-licences", "vasp-licences/lei"])
        #expect(try StateLeaf(parsing: Self.leaf.bytes) == Self.leaf)
        #expect(Self.leaf.line("vasp-licences")?.count == 4)
        #expect(Self.leaf.line("warnings") == nil)
        guard case .stateLeaf(let read) = LogEntry(Self.leaf.bytes) else {
            Issue.record("a leaf reads as a leaf")
            return
        }
        #expect(read == Self.leaf)
    }

    @Test("Every changed or missing byte: refused, or another leaf that writes itself")
    func strict() throws {
        let bytes = Self.leaf.bytes
        for position in bytes.indices {
            if let shorter = try? StateLeaf(parsing: Array(bytes[..<position])) {
                // Cut at the end of a map's line: another leaf, with fewer maps.
                #expect(shorter.bytes == Array(bytes[..<position]) && shorter.lines.count < 3)
            }
            for flip in [1, 0x20, 0x80] as [UInt8] {
                var changed = bytes
                changed[position] ^= flip
                guard let leaf = try? StateLeaf(parsing: changed) else { continue }
                #expect(leaf != Self.leaf && leaf.bytes == changed)
            }
        }
    }

    @Test("Other wrong leaves")
    func wrongs() {
        let digest = HashValue.sha256("x").base64
        for text in [
            "entente/state/v2\n0\n1 \(digest)\n", "entente/state/v1\n00\n1 \(digest)\n",
            "entente/state/v1\n0\n0 \(digest)\n",
            "entente/state/v1\n0\n1 \(digest)\n\n", "entente/state/v1\n0\n1 \(digest)\n@other 1 \(digest)\n",
            "entente/state/v1\n0\n1 \(digest)\nb 1 \(digest)\na 1 \(digest)\n",
            "entente/state/v1\n0\n1 \(digest)\na 1 \(digest)\na 1 \(digest)\n",
            "entente/state/v1\n0\n1 \(digest)\na +1 \(digest)\n",
            "entente/state/v1\n18446744073709551616\n1 \(digest)\n",
            "entente/state/v1\n0\n1 \(digest)\na  1 \(digest)\n", "entente/state/v1\r\n0\r\n1 \(digest)\r\n",
        ] { #expect(throws: AllianceError.self, "\(text)") { try StateLeaf(parsing: Array(text.utf8)) } }
        let lines = (0..<257).map { "a\($0 + 1_000) 1 \(digest)\n" }.joined()
        #expect(throws: AllianceError.self) {
            try StateLeaf(parsing: Array("entente/state/v1\n0\n1 \(digest)\n\(lines)".utf8))
        }
    }

    @Test("A row's bytes read back, in order only")
    func rows() throws {
        let items = [3, 7, 1 << 40].map { Row.Item(index: $0, leaf: HashValue.sha256("\($0)")) }
        let row = Row(inForce: items)
        #expect(row.bytes.count == 120)
        #expect(Row(bytes: row.bytes, isEmptied: false) == row)
        let emptied = Row(emptiedBy: items[0])
        #expect(Row(bytes: emptied.bytes, isEmptied: true) == emptied)
        #expect(emptied.inForce.isEmpty)
        #expect(Row(bytes: [], isEmptied: false) == nil)
        #expect(Row(bytes: Array(row.bytes.dropLast()), isEmptied: false) == nil)
        #expect(Row(bytes: row.bytes, isEmptied: true) == nil)
        #expect(Row(bytes: Row(inForce: items.reversed()).bytes, isEmptied: false) == nil)
        #expect(Row(bytes: Row(inForce: [items[0], items[0]]).bytes, isEmptied: false) == nil)
    }
}
