import TransparencyLog

@testable import Alliance

extension VectorFile {
    static let canonicalForms = VectorFile(
        name: "canonical-forms",
        about: """
            Canonical forms of keys and lookup values (state-and-maps.md, section 5). valid: the text is in the form. \
            `canonicalise`: what a question in that spelling is turned into; null where it is refused.
            """
    ) {
        let forms: [(CanonicalForm, [String])] = [
            (
                .exact,
                [
                    "PK-0117", "Straße 1", "Café", "Cafe\u{301}", " PK-0117", "PK  0117", "PK\t0117", "a\u{200B}b", "",
                    "\u{645}\u{6CC}\u{200C}\u{62E}", "\u{10041}\u{301}",
                ]
            ),
            (
                .lei,
                [
                    "TESTPK00RAVIPAY00089", "testpk00ravipay00089", "TESTPK00RAVIPAY00088", "TESTPK00RAVIPAY0008",
                    " TESTPK00RAVIPAY00089",
                ]
            ),
            (
                .domain,
                [
                    "ravipay.example", "RaviPay.example", "ravipay.example.", "ravipay", "192.0.2.1",
                    "xn--bcher-kva.example", "b\u{FC}cher.example", "-a.example", "https://ravipay.example/",
                ]
            ),
            (.date, ["2026-11-24", "2026-02-29", "2024-02-29", "24.11.2026", "2026-1-4"]),
        ]
        var cases: [JSONValue] = []
        for (form, texts) in forms {
            for text in texts {
                let result = try? form.canonicalise(text).get()
                if let result {
                    try VectorError.require(form.isCanonical(result), "\(form) \(text)")
                }
                cases.append([
                    "form": .string(form.rawValue), "text": .string(text), "valid": .bool(form.isCanonical(text)),
                    "canonicalise": result.map { .string($0) } ?? .null,
                ])
            }
        }
        guard let papers = BuiltInRegisters.definition(named: "bitcoin-reserves") else {
            throw VectorError("no such definition")
        }
        for text in [
            "El%20Salvador/Strategic%20reserve", "El Salvador/Strategic reserve", "El%20Salvador", "a/b/c",
            "%45l%20Salvador/x", "a%2fb/x", "a%2Fb/x", "100%/x",
        ] {
            cases.append([
                "form": "composite", "register": "bitcoin-reserves", "text": .string(text),
                "valid": .bool(papers.keyForm.isCanonical(text)),
                "canonicalise": (try? papers.keyForm.canonicalise(text).get()).map { .string($0) } ?? .null,
            ])
        }
        return ["cases": .array(cases)]
    }

    static let json = VectorFile(
        name: "json",
        about: """
            Strict JSON (statements.md, section 1). Texts that are no UTF-8 are given as `bytes`, hexadecimal. valid: the \
            text is read.
            """
    ) {
        let good = ["{}", " [1, -5, 0.5, 9007199254740991] ", "{\"\\u0061\":\"\\ud83d\\ude00\"}", "\"\"", "null"]
        let wrong: [(String, String)] = [
            ("{\"a\":1,\"a\":2}", "a name stands twice"), ("{\"a\":1,\"\\u0061\":2}", "twice, once escaped"),
            ("9007199254740992", "an integer beyond 2^53 - 1"), ("01", "a leading zero"), ("-0", "minus zero"),
            ("1e3", "an exponent"), ("\"\\ud83d\"", "a lone surrogate"), ("[1,]", "a comma too many"),
            ("{} {}", "something follows"), ("", "nothing"), ("'a'", "other quotes"), ("NaN", "no number"),
            (String(repeating: "[", count: 33) + String(repeating: "]", count: 33), "deeper than 32"),
            ("\"a\tb\"", "a control character in a string"),
        ]
        let bytes: [([UInt8], String)] = [
            ([0xEF, 0xBB, 0xBF, 0x7B, 0x7D], "a byte-order mark"), ([0x22, 0xC0, 0x80, 0x22], "an overlong form"),
            ([0x22, 0xED, 0xA0, 0x80, 0x22], "a surrogate in UTF-8"), ([0x22, 0xFF, 0x22], "no UTF-8"),
        ]
        func reads(_ bytes: [UInt8]) -> Bool { (try? JSONTape(bytes)) != nil }
        var cases: [JSONValue] = []
        for text in good {
            try VectorError.require(reads(Array(text.utf8)), text)
            cases.append(accepted(["text": .string(text)]))
        }
        for (text, why) in wrong {
            try VectorError.require(!reads(Array(text.utf8)), why)
            cases.append(refused(["text": .string(text)], why))
        }
        for (some, why) in bytes {
            try VectorError.require(!reads(some), why)
            cases.append(refused(["bytes": hex(some)], why))
        }
        return ["cases": .array(cases)]
    }

    static let timestamps = VectorFile(
        name: "timestamps", about: "Instants (statements.md, section 2): RFC 3339 in its one form, and POSIX seconds."
    ) {
        let good = [
            "1970-01-01T00:00:00Z", "2026-11-24T00:00:00+05:00", "2026-11-23T19:00:00Z", "2024-02-29T23:59:59-08:00",
            "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
        ]
        let wrong: [(String, String)] = [
            ("2026-11-24", "a bare date"), ("2026-11-24T00:00:00", "no zone"),
            ("2026-11-24T00:00:00+00:00", "Z is due"), ("2026-11-24T00:00:00.5Z", "a fraction"),
            ("2026-11-24t00:00:00z", "lower case"), ("2026-02-29T00:00:00Z", "no such day"),
            ("2026-11-24T24:00:00Z", "no such hour"), ("2026-12-31T23:59:60Z", "a leap second"),
            ("2026-11-24 00:00:00Z", "a space"), ("2026-11-24T00:00:00+0500", "a zone without colon"),
        ]
        var cases: [JSONValue] = []
        for text in good {
            guard let time = Timestamp(parsing: text), time.text == text else { throw VectorError(text) }
            cases.append(accepted(["text": .string(text), "seconds": .integer(time.seconds)]))
        }
        for (text, why) in wrong {
            try VectorError.require(Timestamp(parsing: text) == nil, why)
            cases.append(refused(["text": .string(text)], why))
        }
        return ["cases": .array(cases)]
    }
}
