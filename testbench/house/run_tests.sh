# The two tiers of tests; sourced by ./doorbell.
#
# ./doorbell test          g++ release and ASan+UBSan: unit, floors, freshness, short scenarios;
#                          guests in QEMU (short ladder), 950 programs against QEMU's e1000e
# ./doorbell test --full   also: clang build with equal hashes, a 200 MB file, cost of events, every
#                          row of the ladder with Linux 6.1 and 6.12, 10,000 programs against QEMU's
#                          e1000e, ten million accesses of a hostile guest, fuzzing (NIC and server,
#                          DOORBELL_FUZZ_SECONDS each, 1800), a sweep on a real Slurm of one node
# ./doorbell test ... -- -R NAME   what follows goes to ctest (-L qemu: what needs a QEMU)

passed_total=0
failed_total=0
skipped_total=0
failed_tests=() # PRESET NAME
filtered=0 # the caller chose tests: a suite may then hold none of them

# follow PRESET: what ctest prints, as one line on a terminal that is written again and again.
follow() {
    local line done_tests='^ *([0-9]+/[0-9]+) Test +#[0-9]+: ([^ ]+)'
    if [[ ! -t 2 ]]; then
        cat >/dev/null
        return
    fi
    while IFS= read -r line; do
        [[ $line =~ $done_tests ]] || continue
        printf '\r\033[Kdoorbell: build/%s %s %.50s' "$1" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" >&2
    done
    printf '\r\033[K' >&2
}

# say_failed_tests: each with the command that runs it alone; ctest takes a regular expression.
say_failed_tests() {
    local test preset name
    for test in "${failed_tests[@]}"; do
        preset=${test%% *}
        name=${test#* }
        echo "failed: $name (log: build/$preset/tests.log)"
        echo "    ctest --test-dir build/$preset --output-on-failure -R '^$(
            sed 's/[][().*+?^$|\\]/\\&/g' <<<"$name")\$'"
    done
}

# run_suite PRESET CTEST-ARGS...: all tests of a build tree. A run that executed fewer tests than are
# registered has failed, whatever ctest says: SystemC's own main() would make an empty run look green.
run_suite() {
    local preset=$1
    shift
    local junit="$root/build/$preset/tests.xml" log="$root/build/$preset/tests.log"
    local registered executed failed skipped excused names status=0
    registered=$(ctest --test-dir "$root/build/$preset" -N "$@" | sed -n 's/^Total Tests: //p')
    if ((registered == 0 && filtered)); then
        say "no test of build/$preset is among those asked for"
        return
    fi
    say "testing build/$preset: $registered tests (log: build/$preset/tests.log)"
    rm -f "$junit"
    ctest --test-dir "$root/build/$preset" --output-on-failure --parallel "$(nproc)" \
        --no-tests=error --output-junit "$junit" "$@" 2>&1 |
        tee "$log" | follow "$preset" || status=$?
    { read -r executed failed skipped excused && mapfile -t names; } < <(python3 - "$junit" <<'PY'
import sys, xml.etree.ElementTree as tree
try:
    cases = tree.parse(sys.argv[1]).getroot().findall("testcase")
except (OSError, tree.ParseError):
    cases = []
kind = [c.get("status") for c in cases]
# A test that says itself that the machine lacks what it needs (no packages to be had, ...).
excused = [c for c in cases for s in c.findall("skipped")
           if s.get("message") == "SKIP_RETURN_CODE=77"]
print(sum(k in ("run", "fail") for k in kind), kind.count("fail"),
      sum(k not in ("run", "fail") for k in kind), len(excused))
for case in excused:
    said = (case.findtext("system-out") or "").splitlines()
    reason = next((line for line in said if line.startswith("SKIPPED")), "SKIPPED")
    print(f"doorbell: {case.get('name')}: {reason}", file=sys.stderr)
for case, how in zip(cases, kind):
    if how == "fail":
        print(case.get("name"))
PY
    )
    failed_tests+=("${names[@]/#/$preset }")
    passed_total=$((passed_total + executed - failed))
    failed_total=$((failed_total + failed))
    skipped_total=$((skipped_total + skipped))
    if ((executed + excused != registered)); then
        say "build/$preset: $registered tests are registered, only $executed ran ($skipped skipped)"
        failed_total=$((failed_total + registered - executed - excused))
    elif ((status != 0 && failed == 0)); then
        say "build/$preset: ctest failed: $(tail -1 "$log")"
        failed_total=$((failed_total + 1))
    fi
}

run_tests() {
    local full=0
    while (($#)); do
        case $1 in
        --full) full=1 ;;
        --)
            shift
            break
            ;;
        -h | --help)
            sed -n '3,10p' "$root/testbench/house/run_tests.sh" | sed 's/^# //'
            exit 0
            ;;
        *)
            say "unknown option '$1' of test: --full, or -- followed by options of ctest"
            exit 2
            ;;
        esac
        shift
    done
    filtered=$(($# > 0))
    local started=$SECONDS
    install "${packages_build[@]}" "${packages_test[@]}"
    build release all
    run_suite release -LE full "$@"
    build asan-ubsan all
    run_suite asan-ubsan -LE "full|release_only" "$@"
    if ((full)); then
        install "${packages_build[@]}" "${packages_test[@]}" "${packages_full[@]}"
        build clang all
        build empty-sink doorbell doorbell_guest
        build fuzz doorbell_fuzzers
        run_suite clang -LE "full|release_only" "$@"
        run_suite release -L full "$@"
        say "fuzzing for ${DOORBELL_FUZZ_SECONDS:-1800} s (findings: build/fuzz/fuzz_*/findings)"
        run_suite fuzz -L fuzz "$@"
    fi
    say "took $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s"
    say_failed_tests
    echo "$passed_total passed, $failed_total failed, $skipped_total skipped"
    ((failed_total == 0 && passed_total > 0)) || exit 1
}
