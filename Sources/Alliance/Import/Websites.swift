/// The domains that a cell for websites names.
enum Websites {
    /// The domains, each once: every host name as written in canonical form and, where it starts with `www.`, the name
    /// behind that as well; and the words of the cell that are no website.
    static func domains(in cell: String) -> (sites: Int, domains: [String], others: [String]) {
        var sites = 0
        var domains: [String] = []
        var others: [String] = []
        let separators: Set<Unicode.Scalar> = ["|", ",", ";", "<", ">", "(", ")"]
        let words = cell.unicodeScalars.split { separators.contains($0) || UnicodeForm.isWhiteSpace($0) }
        for word in words.map({ String($0) }) {
            guard let host = host(of: word) else {
                others.append(word)
                continue
            }
            sites += 1
            var names = [host]
            if host.hasPrefix("www."), CanonicalForm.domain.isCanonical(String(host.dropFirst(4))) {
                names.append(String(host.dropFirst(4)))
            }
            for name in names where !domains.contains(name) { domains.append(name) }
        }
        return (sites, domains, others)
    }

    /// The host name of an address, with or without `https://` in front, in canonical form.
    private static func host(of word: String) -> String? {
        var rest = Substring(word)
        if let scheme = rest.range(of: "://") {
            guard ["http", "https"].contains(ASCIICase.lowercased(String(rest[..<scheme.lowerBound]))) else {
                return nil
            }
            rest = rest[scheme.upperBound...]
        }
        let authority = rest.prefix { !"/?#\\".contains($0) }
        // A name and an at sign in front of a host are an e-mail address, or an attempt to be read as another host.
        guard !authority.contains("@") else { return nil }
        var host = authority
        if let colon = authority.lastIndex(of: ":") {
            guard authority[authority.index(after: colon)...].allSatisfy({ $0.isASCII && $0.isNumber }) else {
                return nil
            }
            host = authority[..<colon]
        }
        return try? CanonicalForm.domain.canonicalise(String(host)).get()
    }
}

extension Substring {
    /// The first place where the text stands, found without Foundation.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
