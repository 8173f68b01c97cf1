"""Compares the verdicts of a run (index.json) with the expected ones: each case, its behaviour and
its close.

Runs on the CPython 2.7 of the suite, and on 3.
"""

import collections
import json
import sys


def main(index, expected, arguments):
    with open(index) as file:
        cases = json.load(file)["parlor"]
    verdicts = {case: [seen["behavior"], seen["behaviorClose"]] for case, seen in cases.items()}
    # Whatever the file says, only these two are correct. A close is clean or, if the case allows
    # it, informational.
    good = {
        case: verdict
        for case, verdict in verdicts.items()
        if set(verdict) <= {"OK", "INFORMATIONAL"}
    }
    wrong = [
        "%s is %s, close %s" % (case, verdict[0], verdict[1])
        for case, verdict in verdicts.items()
        if case not in good
    ]
    key = lambda case: [int(part) for part in case.split(".")]
    if "update" in arguments and not wrong:
        with open(expected, "w") as file:
            lines = [
                "  %s: %s" % (json.dumps(case), json.dumps(verdicts[case]))
                for case in sorted(verdicts, key=key)
            ]
            file.write("{\n%s\n}\n" % ",\n".join(lines))
    try:
        with open(expected) as file:
            known = json.load(file)
    except IOError:
        known = {}
    if "all" not in arguments:
        known = {
            case: verdict
            for case, verdict in known.items()
            if case.split(".")[0] not in ("9", "12", "13")
        }
    wrong += [
        "%s is %s, not %s" % (case, verdicts[case], known[case])
        for case in set(verdicts) & set(known)
        if verdicts[case] != known[case]
    ]
    wrong += [
        "%s is not in the list of expected cases" % case for case in set(verdicts) - set(known)
    ]
    wrong += ["%s was not run" % case for case in set(known) - set(verdicts)]
    for line in wrong:
        print(line)
    counts = collections.Counter(
        (case.split(".")[0], verdict[0]) for case, verdict in verdicts.items()
    )
    for (section, verdict), count in sorted(
        counts.items(), key=lambda item: (int(item[0][0]), item[0][1])
    ):
        print("section %s: %d %s" % (section, count, verdict))
    print("autobahn: %d cases, %d differences" % (len(verdicts), len(wrong)))
    return 1 if wrong else 0


sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
