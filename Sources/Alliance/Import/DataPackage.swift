public import TransparencyLog

/// The table of one register in a Frictionless data package, as ``RegisterExport/package(_:from:)`` describes it.
public struct DataPackageTable: Hashable, Sendable {
    /// Where the table is, beside `datapackage.json`.
    public let path: String
    /// SHA-256 of the table's bytes, where the package says it.
    public let digest: HashValue?

    /// Bytes of a `datapackage.json`.
    public static let byteLimit = 1 << 20

    /// Finds the table of a register: the resource of its name, else the only one.
    ///
    /// - Throws: ``ImportError`` where this is no such description, there is no such table, or it is not a CSV file in the
    ///   same folder.
    public init(_ descriptor: [UInt8], register: String) throws(ImportError) {
        func fail(_ reason: String) -> ImportError { ImportError(.layout, "the data package: \(reason)") }
        guard descriptor.count <= Self.byteLimit else { throw fail("its description is larger than 1 MiB") }
        let package: JSONValue
        do { package = try JSONValue.parse(descriptor) } catch { throw fail("\(error)") }
        guard let resources = package["resources"]?.array, !resources.isEmpty else { throw fail("it has no resources") }
        let named = resources.first { $0["name"]?.string?.hasSameBytes(as: register) == true }
        guard let resource = named ?? (resources.count == 1 ? resources[0] : nil) else {
            throw fail("none of its \(resources.count) resources is called \(register)")
        }
        guard let path = resource["path"]?.string, Self.isBeside(path) else {
            throw fail("the path of \(register) does not name a file beside datapackage.json")
        }
        self.path = path
        guard let hash = resource["hash"]?.string else {
            digest = nil
            return
        }
        guard hash.hasPrefix("sha256:"), let digest = HashValue(hex: String(hash.dropFirst("sha256:".count))) else {
            throw fail("the hash of \(path) is no SHA-256; nothing else is checked here")
        }
        self.digest = digest
    }

    /// A package comes from elsewhere: its paths must not lead out of its folder.
    private static func isBeside(_ path: String) -> Bool {
        !path.isEmpty && path.utf8.count <= 255 && !path.utf8.contains { $0 == 0x2F || $0 == 0x5C || $0 < 0x20 }
            && path != "." && path != ".." && path.utf8.first != UInt8(ascii: "~")
    }

    /// Whether these are the bytes that the package describes.
    public func describes(_ bytes: [UInt8]) -> Bool { digest.map { $0 == HashValue.sha256(bytes) } ?? true }
}
