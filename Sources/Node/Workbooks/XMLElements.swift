import Alliance
import Foundation

#if canImport(FoundationXML)
import FoundationXML
#endif

/// Walks over the elements of one part of a workbook, with the toolchain's XML parser (libxml2).
///
/// Only UTF-8 is read, and no document type declaration: so there are no entities but XML's own five, nothing to expand and
/// nothing to fetch. Names are without their prefixes.
final class XMLElements: NSObject, XMLParserDelegate {
    /// An element begins; `path` has the names of those around it, and its own last.
    var begin: (_ path: [String], _ attributes: [String: String]) throws(ImportError) -> Void = {
        _, _ throws(ImportError) in
    }
    /// An element ends, with the text that stood in it directly.
    var end: (_ path: [String], _ text: String) throws(ImportError) -> Void = { _, _ throws(ImportError) in }

    private var path: [String] = []
    private var texts: [String] = []
    private var failure: ImportError?

    /// - Throws: ``ImportError`` with code `workbook`, or what the closures threw.
    func walk(_ bytes: [UInt8], part: String) throws(ImportError) {
        guard Self.isPlain(bytes) else {
            throw ZipReader.wrong("its part \(part) is not UTF-8, or has a document type declaration")
        }
        let parser = XMLParser(data: Data(bytes))
        parser.shouldProcessNamespaces = false
        parser.shouldResolveExternalEntities = false
        parser.delegate = self
        let isWhole = parser.parse()
        if let failure { throw failure }
        guard isWhole, path.isEmpty else {
            throw ZipReader.wrong("its part \(part) is not well-formed XML, in line \(parser.lineNumber)")
        }
    }

    /// Whether the bytes are UTF-8 by themselves and by their declaration, and hold no declaration of a document type.
    private static func isPlain(_ bytes: [UInt8]) -> Bool {
        guard String(validating: bytes, as: UTF8.self) != nil, !bytes.contains(0) else { return false }
        var previous: UInt8 = 0
        for (index, byte) in bytes.enumerated() {
            // Comments and CDATA sections also begin with "<!", then - or [.
            if previous == 0x3C, byte == 0x21, index + 1 < bytes.count, ![0x2D, 0x5B].contains(bytes[index + 1]) {
                return false
            }
            previous = byte
        }
        let start = String(decoding: bytes.prefix(256), as: UTF8.self).lowercased()
        guard let declared = start.range(of: "encoding=") else { return true }
        return start[declared.upperBound...].dropFirst().hasPrefix("utf-8")
    }

    private func fail(_ parser: XMLParser, _ error: ImportError) {
        if failure == nil { failure = error }
        parser.abortParsing()
    }

    private static func local(_ name: String) -> String {
        name.lastIndex(of: ":").map { String(name[name.index(after: $0)...]) } ?? name
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        guard failure == nil else { return }
        path.append(Self.local(name))
        texts.append("")
        guard path.count <= WorkbookLimits.depth else {
            return fail(parser, ZipReader.wrong("its elements stand more than \(WorkbookLimits.depth) deep"))
        }
        do throws(ImportError) { try begin(path, attributes) } catch { fail(parser, error) }
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) { append(text) }

    func parser(_ parser: XMLParser, foundCDATA block: Data) { append(String(decoding: block, as: UTF8.self)) }

    private func append(_ text: String) {
        guard failure == nil, !texts.isEmpty else { return }
        texts[texts.count - 1] += text
    }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        guard failure == nil, !path.isEmpty else { return }
        do throws(ImportError) { try end(path, texts[texts.count - 1]) } catch { fail(parser, error) }
        path.removeLast()
        texts.removeLast()
    }
}
