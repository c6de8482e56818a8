import Alliance
import Node

/// A file to import, as the table that it holds.
enum ImportSource {
    /// Reads separated values, a workbook, JSON lines or a data package; which of them it is, its content says.
    ///
    /// - Parameters:
    ///   - path: a file, or the folder of a data package.
    ///   - sheet: of a workbook; nil for the one of the register's name, else the first.
    static func read(_ path: String, sheet: String?, register: String) throws -> DelimitedText {
        if let (folder, description) = package(path) {
            guard sheet == nil else { throw Failure("--sheet is for workbooks (.xlsx)") }
            return try table(of: description, in: folder, register)
        }
        let bytes = try PlainFile.read(path, limit: ImportLimits.fileBytes)
        do throws(ImportError) {
            if WorkbookReader.isWorkbook(bytes) {
                return try WorkbookReader.read(bytes, sheet: sheet, register: register)
            }
            guard sheet == nil else { throw ImportError(.workbook, "--sheet is for workbooks (.xlsx)") }
            return JSONLinesTable.isMeant(by: bytes) ? try JSONLinesTable.read(bytes) : try DelimitedText(bytes)
        } catch {
            throw Failure("\(path): \(error)")
        }
    }

    /// The folder and the description of a data package; nil where the path names none.
    private static func package(_ path: String) -> (folder: String, description: String)? {
        let name = "datapackage.json"
        if path == name { return (".", path) }
        if path.hasSuffix("/\(name)") { return (String(path.dropLast(name.count + 1)), path) }
        return PlainFile.exists("\(path)/\(name)") ? (path, "\(path)/\(name)") : nil
    }

    private static func table(of description: String, in folder: String, _ register: String) throws -> DelimitedText {
        let descriptor = try PlainFile.read(description, limit: DataPackageTable.byteLimit)
        do throws(ImportError) {
            let table = try DataPackageTable(descriptor, register: register)
            let bytes = try contents("\(folder.isEmpty ? "/" : folder)/\(table.path)")
            guard table.describes(bytes) else {
                throw ImportError(
                    .layout, "\(table.path) is not the file that the data package describes: its SHA-256 is another")
            }
            return try DelimitedText(bytes)
        } catch {
            throw Failure("\(description): \(error)")
        }
    }

    private static func contents(_ path: String) throws(ImportError) -> [UInt8] {
        do throws(SetupError) {
            return try PlainFile.read(path, limit: ImportLimits.fileBytes)
        } catch {
            throw ImportError(.layout, "\(error)")
        }
    }
}
