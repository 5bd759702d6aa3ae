# SPDX-License-Identifier: MIT
# prelude.jq - what every rule finds defined besides jq's own functions.
#
# Installed as /usr/share/gantry/prelude.jq so that a rule can be tried with jq
# alone: jq --argjson tables '{}' --arg gantry_uuid5 uuid5 "$(cat prelude.jq) ..."
# Only what jq 1.6 knows may be used here, and `try` only as [try f catch g][0]:
# there it also catches what goes wrong later in the pipeline.

def _throw($message): error($message);

# Refuse the event: nothing of this rule is sent, the reason goes to a person.
def reject($why): _throw({gantry: "reject", why: $why});

# jq 1.6 cannot tell error(null) from "no more output": make it a message.
def error(message): message | if . == null then _throw("error(null)") else _throw(.) end;
def error: error(.);

# Closed: a rule sees its event and its tables, and gives the same answer each time.
def _closed($name): reject("\($name) is not available in rules");
def env: _closed("env");
def input: _closed("input");
def inputs: _closed("inputs");
def input_filename: _closed("input_filename");
def halt: _closed("halt");
def halt_error: _closed("halt_error");
def halt_error(code): _closed("halt_error");
def debug: _closed("debug");
def debug(message): _closed("debug");
def stderr: _closed("stderr");
def now: reject("now is not available in rules: use $meta.received_at");
def modulemeta: _closed("modulemeta");
def get_search_list: _closed("get_search_list");
def get_prog_origin: _closed("get_prog_origin");
def get_jq_origin: _closed("get_jq_origin");

# White space off both ends; the regular expressions only where there may be some.
def _solid: . > " " and . < "\u007f";
def trim:
  if type == "string" and (.[0:1] | _solid) and (.[-1:] | _solid) then .
  else sub("\\A\\s+"; "") | sub("\\s+\\z"; "") end;

# A custom parameter by name, null when it is absent or empty.  Prodsmart
# spells them [{"name": n, "value": v}] or [{n: v}].
def param($name):
  [ (.parameters // [])
    | if type == "object" then .[$name]
      elif type == "array" then
        .[] | objects
        | if has("name") and has("value") then select(.name == $name) | .value else .[$name] end
      else empty end
    | select(. != null and . != "") ][0];

def _table($table): $tables[$table] // reject("there is no table \($table) in this rule");
def _table_key:
  if type == "string" then . elif type == "number" then tostring else null end;

def lookup($table; $key):
  _table($table) as $t | ($key | _table_key) as $k
  | if $k == null then reject("table \($table): the key is \($key | tojson), not a text")
    elif $t | has($k) then $t[$k]
    else reject("table \($table): no entry for \($k)") end;
def lookup($table; $key; $default):
  _table($table) as $t | ($key | _table_key) as $k
  | if $k != null and ($t | has($k)) then $t[$k] else $default end;

# A number, or a text that is nothing but one.  More than 15 digits would change.
def number:
  if type == "number" then .
  elif type == "string" and test("\\A-?[0-9]+([.][0-9]+)?\\z") then
    if (sub("\\A-?0*"; "") | length) > 16
    then reject("number \(.) has too many digits: it would change, keep it as a text")
    else tonumber end
  else reject("not a number: \(tojson)") end;

# Own calendar: mktime of jq 1.6 is an hour off in summer when TZ is not UTC.
def _epoch:
  (.[1] + 1) as $m | (if $m <= 2 then .[0] - 1 else .[0] end) as $y
  | ($y / 400 | floor) as $era | ($y - $era * 400) as $yoe
  | (((153 * (if $m > 2 then $m - 3 else $m + 9 end) + 2) / 5 | floor) + .[2] - 1) as $doy
  | ($era * 146097 + $yoe * 365 + ($yoe / 4 | floor) - ($yoe / 100 | floor) + $doy - 719468)
    * 86400 + .[3] * 3600 + .[4] * 60 + (.[5] | floor);
def _wall($shown):
  [ ((.[0:4], .[5:7], .[8:10], .[11:13], .[14:16], .[17:19]) | tonumber) ]
  | [.[0], .[1] - 1, .[2], .[3], .[4], .[5]] as $t
  | ($t | _epoch) as $w
  | if ($w | gmtime | .[0:6]) == $t then $w
    else reject("there is no such date and time: \($shown)") end;

# "20240531" -> "2024-05-31T00:00:00"
def date8:
  if type == "string" and test("\\A[0-9]{8}\\z")
  then . as $d | "\(.[0:4])-\(.[4:6])-\(.[6:8])T00:00:00" | _wall($d) as $checked | .
  else reject("not a YYYYMMDD date: \(tojson)") end;

# A time with a zone, or without one (then plant time) -> "2024-05-31T23:00:00Z"
def utc:
  def plant: localtime | _epoch;
  def shift: . as $t | plant - $t;
  def zone: sub(":"; "")
    | (if .[0:1] == "-" then -1 else 1 end)
      * ((.[1:3] | tonumber) * 3600 + ((.[3:5] + "00")[0:2] | tonumber) * 60);
  if type == "string" and
     test("\\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?\\z")
  then . else reject("not a date and time: \(tojson)") end
  | . as $s | _wall($s) as $w | (.[19:] | sub("\\A[.][0-9]+"; "")) as $z
  | if $z == "Z" then $w
    elif $z != "" then $w - ($z | zone)
    else ($w - ($w | shift)) as $a | ($w - ($a | shift)) as $b
      | if ($b | plant) == $w then $b
        else reject("local time \($s) does not exist here") end
    end
  | strftime("%Y-%m-%dT%H:%M:%SZ");

# RFC 4122 version 5 in the URL namespace; made when the output leaves the rule.
def uuid5($name):
  if ($name | type) == "string" and $name != "" then {($gantry_uuid5): $name}
  else reject("uuid5 needs a text, not \($name | tojson)") end;

# The GS1 check digit that belongs behind these digits.
def check_digit:
  if type == "string" and test("\\A[0-9]{1,17}\\z") then
    [ (explode | reverse | to_entries)[] | (.value - 48) * (if .key % 2 == 0 then 3 else 1 end) ]
    | add | (10 - . % 10) % 10 | tostring
  else reject("not 1 to 17 digits: \(tojson)") end;

def _gs1($what):
  (.[0:-1] | check_digit) as $c
  | if test("\\A0+\\z") then reject("\($what) \(.) is all zeros")
    elif .[-1:] == $c then .
    else reject("\($what) \(.): the check digit is \(.[-1:]), should be \($c)") end;

# GTIN-8, -12, -13 or -14 as 14 digits, its check digit verified.
def gtin14:
  if type == "string" and test("\\A([0-9]{8}|[0-9]{12,14})\\z")
  then _gs1("GTIN") | ("000000" + .)[-14:]
  else reject("not a GTIN: \(tojson)") end;

# An SSCC of 18 digits, its check digit verified; "(00)" or 20 digits from "00" lose the 00.
def sscc:
  if type == "string" and test("\\A([(]00[)]|00)?[0-9]{18}\\z")
  then .[-18:] | _gs1("SSCC")
  else reject("not an SSCC: \(tojson)") end;

def _set82($what):
  if type == "string" and test("\\A[!\"%-?A-Z_a-z]{1,20}\\z") then .
  else reject("not a \($what): \(tojson), which is 1 to 20 of A-Z a-z 0-9 !\"%&'()*+,-./:;<=>?_") end;

# AI 21 and AI 10: case and leading zeros count, nothing is trimmed.
def serial: _set82("serial");
def lot: _set82("lot");

def _two: tostring | ("0" + .)[-2:];
def _day: "\(.[0])-\(.[1] + 1 | _two)-\(.[2] | _two)";
def _is_day: type == "string" and test("\\A[0-9]{4}-[0-9]{2}-[0-9]{2}\\z");

# The day at the plant of a time, as utc reads it, or of a day -> "2024-05-31"
def plant_date:
  if _is_day then . as $d | "\(.)T00:00:00" | _wall($d) as $checked | $d
  else utc | _wall(.) | localtime | _day end;

# The same as GS1 writes it: "240531"
def yymmdd: plant_date | .[2:4] + .[5:7] + .[8:10];

# "240531" -> "2024-05-31"; day 00 is the last of the month.  $today decides the century.
def gs1_date($today):
  ($today | plant_date | .[0:4] | tonumber) as $year
  | if type == "string" and test("\\A[0-9]{6}\\z") then . else reject("not a YYMMDD date: \(tojson)") end
  | . as $d | (.[0:2] | tonumber) as $yy | ($year % 100) as $now
  | ($year - $now + $yy
     + (if $yy - $now >= 51 then -100 elif $yy - $now <= -50 then 100 else 0 end)) as $y
  | if .[4:6] == "00" then
      "\($y)-\(.[2:4])-01T00:00:00" | (_wall($d) + 31 * 86400 | gmtime | "\(_day[0:7])-01T00:00:00")
      | _wall($d) - 86400 | gmtime | _day
    else "\($y)-\(.[2:4])-\(.[4:6])" | plant_date end;

def _gs1_fields($today):
  if .rest == "" then .out
  else .rest as $rest
  | { "00": ["sscc", 18], "01": ["gtin", 14], "10": ["lot", 0], "11": ["production_date", 6],
      "17": ["expiry_date", 6], "21": ["serial", 0] }[$rest[0:2]] as $field
  | if $field == null then reject("element string: \($rest | tojson) begins with no AI of 00 01 10 11 17 21")
    elif .out | has($field[0]) then reject("element string: AI \($rest[0:2]) occurs twice")
    else . end
  | ($rest[2:] | if $field[1] > 0 then .[0:$field[1]] else split("\u001d")[0] // "" end) as $value
  | if $field[1] > ($value | length)
    then reject("element string: AI \($rest[0:2]) has less than \($field[1]) characters") else . end
  | ($rest[2 + ($value | length):] | if .[0:1] == "\u001d" then .[1:] else . end) as $behind
  | { rest: $behind,
      out: (.out + { ($field[0]):
        ($value | if $field[0] == "sscc" then sscc elif $field[0] == "gtin" then gtin14
                  elif $field[0] == "lot" then lot elif $field[0] == "serial" then serial
                  else gs1_date($today) end) }) }
  | _gs1_fields($today) end;

# What a scanner read, an element string -> {sscc, gtin, lot, production_date, expiry_date, serial}
def gs1($today):
  if type == "string" and . != "" then {rest: sub("\\A\\](d2|C1|Q3)"; ""), out: {}}
  else reject("not an element string: \(tojson)") end
  | .rest |= sub("\\A\u001d"; "")
  | _gs1_fields($today);

# And back: fixed lengths first, a separator (GS, U+001D) between lot and serial.
def gs1_text:
  . as $o
  | if type != "object" or . == {} then reject("not {sscc, gtin, lot, ...}: \(tojson)") else . end
  | (keys - ["sscc", "gtin", "lot", "production_date", "expiry_date", "serial"]) as $others
  | if $others != [] then reject("element string: there is no AI for \($others[0])") else . end
  | (if has("sscc") then "00\(.sscc | sscc)" else "" end)
    + (if has("gtin") then "01\(.gtin | gtin14)" else "" end)
    + (if has("production_date") then "11\(.production_date | yymmdd)" else "" end)
    + (if has("expiry_date") then "17\(.expiry_date | yymmdd)" else "" end)
    + ([(if has("lot") then "10\(.lot | lot)" else empty end),
        (if has("serial") then "21\(.serial | serial)" else empty end)] | join("\u001d"));
