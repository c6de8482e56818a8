/// JSON lines as a table: one object a line, its members the columns of a register, as ``RegisterExport/jsonLines`` writes
/// them.
///
/// The columns are the members of all lines, in the order in which they first stand; what a line does not have is an empty
/// cell. Lists are joined by `|`, as in a register's own CSV, and read by the same rules from there on.
public enum JSONLinesTable {
    /// Whether a file looks like JSON lines: its first character, behind white space, opens an object.
    public static func isMeant(by bytes: [UInt8]) -> Bool {
        bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
    }

    /// Reads a file.
    ///
    /// - Throws: ``ImportError`` where a line is no object, holds what no cell can, or a limit is exceeded.
    public static func read(_ bytes: [UInt8]) throws(ImportError) -> DelimitedText {
        guard bytes.count <= ImportLimits.fileBytes else {
            throw ImportError(.limit, "the file is larger than \(ImportLimits.fileBytes >> 20) MiB")
        }
        // By bytes: equality of strings folds normal forms.
        var columns: [[UInt8]: Int] = [:]
        var header: [String] = []
        var rows: [(line: Int, cells: [String])] = []
        for (offset, text) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let line = offset + 1
            guard text.contains(where: { ![0x20, 0x09, 0x0D].contains($0) }) else { continue }
            guard rows.count < ImportLimits.rows else {
                throw ImportError(.limit, "the file has more than \(ImportLimits.rows) rows", line: line)
            }
            var cells = Array(repeating: "", count: header.count)
            for member in try object(text, line).members {
                let name = Array(member.name.utf8)
                if columns[name] == nil {
                    guard header.count < ImportLimits.columns else {
                        throw ImportError(.limit, "there are more than \(ImportLimits.columns) fields", line: line)
                    }
                    columns[name] = header.count
                    header.append(member.name)
                    cells.append("")
                }
                cells[columns[name] ?? 0] = try cell(member.value, member.name, line)
            }
            rows.append((line, cells))
        }
        let width = header.count
        let padded = rows.map { row in
            (line: row.line, cells: row.cells + Array(repeating: "", count: width - row.cells.count))
        }
        return try DelimitedText(table: [(line: 1, cells: header)] + padded, notes: ["The file holds JSON lines."])
    }

    private static func object(_ text: ArraySlice<UInt8>, _ line: Int) throws(ImportError) -> JSONObject {
        let value: JSONValue
        do { value = try JSONValue.parse(Array(text)) } catch {
            throw ImportError(.notText, "this line is no JSON object: \(error)", line: line)
        }
        guard let object = value.object else {
            throw ImportError(.notText, "this line is no JSON object; each line of JSON lines is one", line: line)
        }
        return object
    }

    private static func cell(_ value: JSONValue, _ name: String, _ line: Int) throws(ImportError) -> String {
        switch value {
        case .null: return ""
        case .bool(let flag): return flag ? "true" : "false"
        case .integer(let number): return String(number)
        case .number(let text): return text
        case .string(let text): return text
        case .array(let items):
            var texts: [String] = []
            for item in items {
                guard let text = item.string, !text.utf8.contains(UInt8(ascii: "|")) else {
                    throw ImportError(
                        .notText, "\(name) is a list in which something is no text, or holds a |", line: line)
                }
                texts.append(text)
            }
            return texts.joined(separator: "|")
        case .object: throw ImportError(.notText, "\(name) is an object, which no field of a register is", line: line)
        }
    }
}
