import Alliance
import Foundation

/// The charters in a node's folder: version 1, on which trust rests, and those that came with the folder. What is taken
/// up later is in the store.
enum CharterFolder {
    /// Where later versions are, named `2.charter` and so on.
    static func path(_ data: String) -> String { "\(data)/charters" }

    /// Version 1.
    ///
    /// - Throws: ``NodeError``.
    static func first(_ settings: NodeSettings) throws(NodeError) -> VerifiedCharter {
        guard let file = FileManager.default.contents(atPath: settings.charterPath) else {
            throw NodeError("\(settings.charterPath) cannot be read; run entente init first")
        }
        do throws(AllianceError) {
            return try SignedCharter(parsing: [UInt8](file)).verifyFirst()
        } catch {
            throw NodeError("\(settings.charterPath): \(error)")
        }
    }

    /// The later versions, the oldest first, with their paths.
    ///
    /// - Throws: ``SetupError``, ``NodeError``.
    static func later(_ settings: NodeSettings) throws -> [(path: String, file: SignedCharter)] {
        let folder = path(settings.data)
        guard FileFacts.isFolder(folder) else { return [] }
        var found: [(path: String, file: SignedCharter)] = []
        for name in FileFacts.names(in: folder) ?? [] where name.hasSuffix(".charter") {
            let path = "\(folder)/\(name)"
            do throws(AllianceError) {
                found.append((path, try SignedCharter(parsing: readFile(path))))
            } catch {
                throw NodeError("\(path): \(error)")
            }
        }
        return found.sorted { ($0.file.unverified.version, $0.path) < ($1.file.unverified.version, $1.path) }
    }

    private static func readFile(_ path: String) -> [UInt8] {
        FileManager.default.contents(atPath: path).map { [UInt8]($0) } ?? []
    }
}
