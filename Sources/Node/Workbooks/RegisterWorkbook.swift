public import Alliance

/// An empty workbook (Office Open XML, ECMA-376) to fill with rows of a register.
///
/// The first sheet has the register's own layout, all cells as text, so that no program rewrites a number or a date; the
/// status is chosen from a list. The sheets behind it say what the columns and the statuses mean, and are not read back.
public enum RegisterWorkbook {
    /// The names of the sheets behind the first one.
    static let columnsSheet = "About the columns"
    static let statusesSheet = "About the statuses"

    /// The last row that the format knows.
    private static let lastRow = 1_048_576

    /// The workbook's bytes; the same for the same definition.
    public static func template(of definition: RegisterDefinition) -> [UInt8] {
        var zip = ZipWriter()
        let names = [sheetName(of: definition), columnsSheet, statusesSheet]
        zip.add("[Content_Types].xml", xml(contentTypes(names.count)))
        zip.add("_rels/.rels", xml(relationships([("officeDocument", "xl/workbook.xml")])))
        zip.add("xl/workbook.xml", xml(workbook(names)))
        let sheets = names.indices.map { ("worksheet", "worksheets/sheet\($0 + 1).xml") }
        zip.add("xl/_rels/workbook.xml.rels", xml(relationships(sheets + [("styles", "styles.xml")])))
        zip.add("xl/styles.xml", xml(styles))
        zip.add("xl/worksheets/sheet1.xml", xml(rows(of: definition)))
        zip.add("xl/worksheets/sheet2.xml", xml(table(columns(of: definition))))
        zip.add("xl/worksheets/sheet3.xml", xml(table(statuses(of: definition))))
        return zip.finish()
    }

    /// The first sheet's name: the register's, as far as the format lets it be.
    static func sheetName(of definition: RegisterDefinition) -> String { String(definition.name.prefix(31)) }

    // MARK: What the sheets say

    private static func columns(of definition: RegisterDefinition) -> [[String]] {
        let languages = definition.languages
        var table = [["column", "type", "required", "allowed"] + languages.map { "title (\($0))" } + ["description"]]
        for field in definition.envelopeFields + definition.fields {
            table.append(
                [field.name, FieldText.type(of: field), field.constraints.required ? "yes" : "no"]
                    + [FieldText.allowed(field)] + languages.map { field.label.text(in: $0) }
                    + [field.description ?? ""])
        }
        return table
    }

    private static func statuses(of definition: RegisterDefinition) -> [[String]] {
        let languages = definition.languages
        return [["status", "permits business"] + languages.map { "title (\($0))" }]
            + definition.statuses.map { status in
                [status.name, status.permitsBusiness ? "yes" : "no"] + languages.map { status.label.text(in: $0) }
            }
    }

    // MARK: Sheets

    private static let namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

    private static func rows(of definition: RegisterDefinition) -> String {
        let columns = definition.columns
        let last = definition.statuses.count + 1
        return """
            <worksheet xmlns="\(namespace)">\
            <sheetViews><sheetView workbookViewId="0" tabSelected="1">\
            <pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>\
            <cols><col min="1" max="\(columns.count)" width="22" style="1" customWidth="1"/></cols>\
            <sheetData>\(row(1, columns, style: 2))</sheetData>\
            <dataValidations count="1"><dataValidation type="list" allowBlank="1" showErrorMessage="1" \
            sqref="B2:B\(lastRow)"><formula1>'\(statusesSheet)'!$A$2:$A$\(last)</formula1></dataValidation>\
            </dataValidations></worksheet>
            """
    }

    private static func table(_ table: [[String]]) -> String {
        let rows = table.enumerated().map { row($0 + 1, $1, style: $0 == 0 ? 2 : 1) }.joined()
        return "<worksheet xmlns=\"\(namespace)\"><cols><col min=\"1\" max=\"\(table[0].count)\" width=\"28\" "
            + "customWidth=\"1\"/></cols><sheetData>\(rows)</sheetData></worksheet>"
    }

    private static func row(_ number: Int, _ cells: [String], style: Int) -> String {
        let texts = cells.enumerated().map { position, text in
            "<c r=\"\(letters(position))\(number)\" s=\"\(style)\" t=\"inlineStr\"><is><t xml:space=\"preserve\">"
                + "\(escaped(text))</t></is></c>"
        }
        return "<row r=\"\(number)\">\(texts.joined())</row>"
    }

    /// The name of a column by its position from 0: A to Z, AA and so on.
    static func letters(_ position: Int) -> String {
        var rest = position
        var letters = ""
        repeat {
            letters = String(UnicodeScalar(UInt8(0x41 + rest % 26))) + letters
            rest = rest / 26 - 1
        } while rest >= 0
        return letters
    }

    // MARK: Parts

    private static func workbook(_ names: [String]) -> String {
        let sheets = names.enumerated().map {
            "<sheet name=\"\(escaped($1))\" sheetId=\"\($0 + 1)\" r:id=\"rId\($0 + 1)\"/>"
        }
        return "<workbook xmlns=\"\(namespace)\" xmlns:r=\"\(office)/relationships\">"
            + "<sheets>\(sheets.joined())</sheets></workbook>"
    }

    private static let office = "http://schemas.openxmlformats.org/officeDocument/2006"
    private static let package = "http://schemas.openxmlformats.org/package/2006"

    private static func relationships(_ targets: [(type: String, target: String)]) -> String {
        let all = targets.enumerated().map {
            "<Relationship Id=\"rId\($0 + 1)\" Type=\"\(office)/relationships/\($1.type)\" Target=\"\($1.target)\"/>"
        }
        return "<Relationships xmlns=\"\(package)/relationships\">\(all.joined())</Relationships>"
    }

    private static func contentTypes(_ sheets: Int) -> String {
        let type = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        let overrides = (1...sheets).map {
            "<Override PartName=\"/xl/worksheets/sheet\($0).xml\" ContentType=\"\(type).worksheet+xml\"/>"
        }
        return "<Types xmlns=\"\(package)/content-types\">"
            + "<Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>"
            + "<Default Extension=\"xml\" ContentType=\"application/xml\"/>"
            + "<Override PartName=\"/xl/workbook.xml\" ContentType=\"\(type).sheet.main+xml\"/>"
            + "<Override PartName=\"/xl/styles.xml\" ContentType=\"\(type).styles+xml\"/>"
            + "\(overrides.joined())</Types>"
    }

    /// Styles: 0 the default, 1 text, 2 bold text.
    private static let styles = """
        <styleSheet xmlns="\(namespace)">\
        <fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>\
        <font><b/><sz val="11"/><name val="Calibri"/></font></fonts>\
        <fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>\
        </fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>\
        <cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>\
        <cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>\
        <xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>\
        <xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/></cellXfs>\
        </styleSheet>
        """

    private static func xml(_ body: String) -> [UInt8] {
        Array("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\(body)".utf8)
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// What a field takes, in words.
public enum FieldText {
    /// Such as `text` or `list, separated by |`.
    public static func type(of field: RegisterField) -> String {
        switch field.kind {
        case .string: "text"
        case .integer: "whole number"
        case .number: "number"
        case .boolean: "true or false"
        case .date: "date, YYYY-MM-DD"
        case .datetime: "instant, YYYY-MM-DDThh:mm:ssZ, or a date"
        case .list: "list, separated by |"
        case .uri: "address, with https://"
        }
    }

    /// What the constraints allow; empty where there are none.
    public static func allowed(_ field: RegisterField) -> String {
        var parts: [String] = []
        for constraints in [field.constraints, field.itemConstraints] {
            if let values = constraints.enumeration { parts.append(values.joined(separator: ", ")) }
            if let pattern = constraints.pattern { parts.append("pattern \(pattern.source)") }
            if let least = constraints.minimum { parts.append("at least \(number(least))") }
            if let most = constraints.maximum { parts.append("at most \(number(most))") }
            if let least = constraints.minimumLength { parts.append("\(least) or longer") }
            if let most = constraints.maximumLength { parts.append("\(most) or shorter") }
            if constraints.unique { parts.append("unique") }
        }
        return parts.joined(separator: "; ")
    }

    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map { String($0) } ?? String(value)
    }
}
