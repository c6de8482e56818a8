import TestSupport
import Testing

extension BadInputReader: CustomTestStringConvertible {
    var testDescription: String { folder }
}

@Suite("Bad input: every file is refused for its own reason, and good twins are taken")
struct BadInputTests {
    @Test(arguments: BadInputReader.all)
    func corpus(reader: BadInputReader) throws {
        for one in try BadInput.cases(of: reader.folder) {
            let outcome = reader.outcome(one.bytes)
            #expect(outcome.fulfils(one.expected), "\(reader.folder)/\(one.name): \(outcome), not \(one.expected)")
        }
    }

    @Test("Good files cut off at every byte are refused", arguments: BadInputReader.all)
    func truncated(reader: BadInputReader) throws {
        for one in try BadInput.cases(of: reader.folder) where one.expected.code == nil && one.bytes.count < 8_192 {
            for count in 0..<one.bytes.count {
                let cut = Array(one.bytes[..<count])
                guard reader.outcome(cut) == .accepted else { continue }
                // What can be cut and stays whole says less, and never the same.
                #expect(BadInputReader.mayBeCut.contains(reader.folder), "\(reader.folder)/\(one.name) cut to \(count)")
            }
        }
    }
}
