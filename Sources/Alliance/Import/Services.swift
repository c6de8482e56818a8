/// The ten crypto-asset services of Regulation (EU) 2023/1114, Article 3(1)(16), by their letters.
public enum CryptoAssetService: String, Hashable, Sendable, CaseIterable, Comparable {
    case a, b, c, d, e, f, g, h, i, j

    /// The service in the regulation's words, as ESMA's interim register writes them.
    public var words: String {
        switch self {
        case .a: "providing custody and administration of crypto-assets on behalf of clients"
        case .b: "operation of a trading platform for crypto-assets"
        case .c: "exchange of crypto-assets for funds"
        case .d: "exchange of crypto-assets for other crypto-assets"
        case .e: "execution of orders for crypto-assets on behalf of clients"
        case .f: "placing of crypto-assets"
        case .g: "reception and transmission of orders for crypto-assets on behalf of clients"
        case .h: "providing advice on crypto-assets"
        case .i: "providing portfolio management on crypto-assets"
        case .j: "providing transfer services for crypto-assets on behalf of clients"
        }
    }

    public static func < (left: CryptoAssetService, right: CryptoAssetService) -> Bool {
        left.rawValue < right.rawValue
    }

    /// One service as a file writes it, and what must be said of it.
    enum Written: Hashable {
        /// Letter and words fit, or the letter stands alone.
        case plain(CryptoAssetService)
        /// Taken, with a note.
        case noted(CryptoAssetService, String)
        /// No service that is known.
        case unknown
    }

    /// Reads a letter with words, a letter, or words. White space, punctuation and case in the words do not matter;
    /// words that are cut short are noted; where letter and words differ, the words say what is provided, with a note,
    /// because the letters often come from automatic numbering.
    static func read(_ text: String) -> Written {
        let bytes = Array(text.utf8)
        var letter: CryptoAssetService?
        var words = text
        if let first = bytes.first, bytes.count == 1 || !isLetter(bytes[1]) {
            let lowered = first | 0x20
            letter = isLetter(first) ? CryptoAssetService(rawValue: String(UnicodeScalar(lowered))) : nil
            if letter != nil { words = String(decoding: bytes.dropFirst(), as: UTF8.self) }
        }
        let folded = fold(words)
        if folded.isEmpty { return letter.map { .plain($0) } ?? .unknown }
        let shown = RowReader.shortened(text)
        if let letter, folded == fold(letter.words) { return .plain(letter) }
        if let exact = allCases.first(where: { fold($0.words) == folded }) {
            guard let letter else { return .noted(exact, "service \"\(shown)\" without its letter read as \(exact)") }
            return .noted(
                exact,
                "service \"\(shown)\": the letter is \(letter), the words are those of \(exact); read as \(exact)")
        }
        let near = allCases.filter {
            folded.count >= 8 && (starts(fold($0.words), folded) || starts(folded, fold($0.words)))
        }
        if near.count == 1, letter == nil || letter == near[0] {
            return .noted(near[0], "service \"\(shown)\" read as \(near[0])")
        }
        guard let letter else { return .unknown }
        return .noted(letter, "service \"\(shown)\" read by its letter as \(letter)")
    }

    /// The services of one cell as they are separated there: by `|`, a line end, or a comma, slash, semicolon or
    /// capital `I` with another lettered service behind it. Empty items are kept.
    static func split(_ cell: String) -> [String] {
        var items: [String] = []
        let parts = cell.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "|" || $0 == "\n" })
        for part in parts {
            var current: [UInt8] = []
            let bytes = Array(part.utf8)
            for (position, byte) in bytes.enumerated() {
                if [0x2C, 0x2F, 0x3B, 0x49].contains(byte), startsService(bytes[(position + 1)...], after: byte) {
                    items.append(String(decoding: current, as: UTF8.self))
                    current = []
                } else {
                    current.append(byte)
                }
            }
            items.append(String(decoding: current, as: UTF8.self))
        }
        return items.map(UnicodeForm.trimmed)
    }

    private static func startsService(_ rest: ArraySlice<UInt8>, after separator: UInt8) -> Bool {
        let text = rest.drop { $0 == 0x20 || $0 == 0x09 }
        // A capital I separates only where a blank stands behind it; otherwise it starts a word.
        if separator == 0x49, text.count == rest.count { return false }
        guard let letter = text.first, (0x61...0x6A).contains(letter) else { return false }
        guard let next = text.dropFirst().first else { return separator != 0x49 }
        return next == 0x2E || next == 0x29 || next == 0x20 && separator != 0x49 || next == 0x2C
    }

    private static func fold(_ words: String) -> [UInt8] { words.utf8.filter(isLetter).map { $0 | 0x20 } }

    private static func starts(_ whole: [UInt8], _ beginning: [UInt8]) -> Bool { whole.starts(with: beginning) }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
}
