public import Foundation
import TransparencyLog

/// The files of `Tests/BadInput`: what stands in a folder, and what is expected of each file.
public enum BadInput {
    /// One file of a folder's `expected.tsv`.
    public struct Case: Sendable {
        /// The file's name, such as `leading-zero`.
        public let name: String
        public let bytes: [UInt8]
        /// What is expected of it.
        public let expected: Outcome
    }

    /// What a reader says of a file.
    public struct Outcome: Sendable, Equatable, CustomStringConvertible {
        /// The code of the typed rejection; nil if the file is accepted.
        public let code: String?
        /// The place that the rejection names; empty if it names none.
        public let place: String
        /// The whole reason; of an expectation, words of it.
        public let reason: String

        public init(code: String?, place: String? = nil, reason: String = "") {
            self.code = code
            self.place = place ?? ""
            self.reason = reason
        }

        public static let accepted = Outcome(code: nil)

        public var description: String {
            code.map { "\($0)\(place.isEmpty ? "" : " at \(place)"): \(reason)" } ?? "accepted"
        }

        /// Whether this is what `expected` says: the same code and place, and a reason with those words.
        public func fulfils(_ expected: Outcome) -> Bool {
            code == expected.code && place.utf8.elementsEqual(expected.place.utf8)
                && (expected.reason.isEmpty || reason.contains(expected.reason))
        }
    }

    /// `Tests/`, found from where this file really is.
    public static let tests = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// All cases of a folder.
    ///
    /// - Throws: where a file has no expectation, an expectation no file, or a folder no good twin.
    public static func cases(of folder: String) throws -> [Case] {
        let place = tests.appendingPathComponent("BadInput/\(folder)")
        let manifest = try String(contentsOf: place.appendingPathComponent("expected.tsv"), encoding: .utf8)
        var cases: [Case] = []
        for line in manifest.utf8.split(separator: 0x0A).dropFirst() {
            let parts = line.split(separator: 0x09, omittingEmptySubsequences: false).map { String($0) ?? "" }
            guard parts.count == 4 else { throw Problem("\(folder): four columns are due: \(parts)") }
            let bytes = [UInt8](try Data(contentsOf: place.appendingPathComponent(parts[0])))
            let outcome = Outcome(code: parts[1] == "accepted" ? nil : parts[1], place: parts[2], reason: parts[3])
            cases.append(Case(name: parts[0], bytes: bytes, expected: outcome))
        }
        let files = Set(try FileManager.default.contentsOfDirectory(atPath: place.path)).subtracting(["expected.tsv"])
        guard files == Set(cases.map(\.name)) else { throw Problem("\(folder): the files are not those expected") }
        guard cases.contains(where: { $0.expected.code == nil }), cases.contains(where: { $0.expected.code != nil })
        else { throw Problem("\(folder): good and bad files are due") }
        return cases
    }

    /// The files of all folders, by folder and name: what is not tested shows as an extra folder.
    public static func folders() throws -> Set<String> {
        let place = tests.appendingPathComponent("BadInput")
        let names = try FileManager.default.contentsOfDirectory(atPath: place.path)
        return Set(
            names.filter {
                FileManager.default.fileExists(atPath: place.appendingPathComponent("\($0)/expected.tsv").path)
            })
    }

    struct Problem: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }
}
