import Alliance
import ArgumentParser
import Node

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Compare a file with a register and write what changed into a plan.",
        discussion: """
            Reads CSV (separated by commas, semicolons or tabs), workbooks (.xlsx), JSON lines and data packages (their \
            folder or datapackage.json), in the register's own columns, in those of the five lists of ESMA's interim register (CASPS and NCASP, and the white papers of OTHER, EMTWP and \
            ARTZZ), or in the publisher's own by a map. It reads leniently: every row is taken, taken with a note, or \
            refused with a reason. Only what changed goes into the plan. Nothing is published.

            A map is a JSON file that says which column is which field (Docs/tutorial.md): {"entente-map":1, \
            "register":"vasp-licences", "columns":{"Licence no.":"licenceNumber"}, "ignore":["Remarks"], \
            "constants":{"competentAuthority":"PDAA"}, "statuses":{"Licensed":"authorised"}, \
            "dates":{"authorisationDate":"day-first"}}

            Published rows that are not in the file are kept, unless --missing says otherwise: revoke gives them the \
            status revoked from --from on; retract takes back all that was said of them, which is for errors only.

            Examples:
              entente import vasp-licences licences.csv --plan nov21.plan
              entente import vasp-licences licences.xlsx --map licences.map --plan nov21.plan
              entente import vasp-licences CASP20260106.csv --plan january.plan --missing revoke --from 2026-01-06
            """)

    @Argument(help: "The register, such as vasp-licences.")
    var register: String
    @Argument(help: "The file, or the folder of a data package.")
    var file: String
    @Option(help: ArgumentHelp("The plan to write.", valueName: "file"))
    var plan: String
    @Option(help: ArgumentHelp("How the file's own columns are read.", valueName: "file"))
    var map: String?
    @Option(
        help: ArgumentHelp(
            "The sheet of a workbook. Default: the one of the register's name, else the first.", valueName: "name"))
    var sheet: String?
    @Option(
        help: ArgumentHelp(
            "What becomes of published rows that are not in the file: keep, revoke or retract.", valueName: "policy"))
    var missing: String = "keep"
    @Option(
        help: ArgumentHelp(
            "From when rows without a date of their own, and revocations, speak. Default: now.", valueName: "date"))
    var from: String?
    @Flag(help: "Plan the rows that can be taken though others are refused.")
    var partial = false
    @Flag(help: "List every note and every change.")
    var all = false
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard ["keep", "revoke", "retract"].contains(missing) else {
            throw ValidationError("--missing must be keep, revoke or retract")
        }
    }

    func run() async throws {
        let columns = try self.map.map(Self.readMap)
        Console.progress("reading \(file)")
        let table = try ImportSource.read(file, sheet: sheet, register: register)
        try await NodeConnection.with(node) { node in
            let maker = try await PlanMaker(node, register: register)
            guard let definition = maker.definition else { return }
            let from = try from.map { try maker.clock.parse($0, option: "--from") }
            let now = from ?? maker.clock.zone.timestamp(seconds: maker.now)
            let policy: MissingPolicy =
                switch missing {
                case "revoke": .revoke(from: now)
                case "retract": .retract
                default: .keep
                }
            let result = try read(table, columns, definition, maker.clock.zone)
            let published = try await maker.published(node, register: register)
            let changes = RegisterChanges.compare(
                result, published: published, missing: policy, definition: definition, now: now)
            let report = ImportReport(
                result, changes: changes, memberName: maker.context.title, definition: definition)
            try finish(maker, definition, changes, report)
        }
    }

    private static func readMap(_ path: String) throws -> ColumnMap {
        let bytes = try PlainFile.read(path, limit: ColumnMap.byteLimit)
        do throws(ImportError) { return try ColumnMap(bytes) } catch { throw Failure("\(path): \(error)") }
    }

    private func read(
        _ table: DelimitedText, _ columns: ColumnMap?, _ definition: RegisterDefinition, _ zone: MemberZone
    ) throws -> ImportResult {
        do throws(ImportError) {
            return try RegisterImport(into: definition, zone: zone, map: columns).read(table)
        } catch {
            throw Failure("\(file): \(error)")
        }
    }

    private func finish(
        _ maker: PlanMaker, _ definition: RegisterDefinition, _ changes: ChangeSet, _ report: ImportReport
    ) throws {
        let isHeld = !report.result.refused.isEmpty && !partial
        let isWritten = !isHeld && !changes.isEmpty
        let lines = report.text(all: all).split(separator: "\n").map(String.init)
        if isWritten {
            var drafts = maker.drafts
            if !maker.isPublished { drafts.add(definition: definition) }
            try drafts.add(changes)
            let summary = report.text(all: false).split(separator: "\n").map { String($0) }
            let plan = try Plan(
                context: maker.context, register: register, made: maker.now, summary: summary, drafts: drafts.drafts)
            try PlainFile.write(plan.bytes, to: self.plan)
        }
        if output.json {
            guard case .object(var object) = report.json else { return }
            object["plan"] = isWritten ? .string(plan) : .null
            Console.print(.object(object))
        } else {
            Console.print(lines)
            if isWritten { Console.print("Nothing is published. Next: entente sign \(plan) --key NAME") }
            if !isHeld, changes.isEmpty { Console.print("There is nothing to publish; no plan was written.") }
        }
        if isHeld {
            throw Failure(
                "\(file): \(count(report.result.refused.count, "row")) refused; no plan was written. Correct the file, "
                    + "or plan the other rows with --partial")
        }
    }
}
