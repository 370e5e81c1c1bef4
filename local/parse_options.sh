# shellcheck shell=bash
# Parse --name value and --name=value into the variables that the calling script assigns, flush
# left, above the line that sources this file: . local/parse_options.sh
#
# An option whose default is () may come again: each value is added to the array. Dashes and
# underscores in names are alike. An unknown option, or a value of another kind than
# the default (a whole number, or true and false), is an error. --help prints the script's header,
# then the variables with their comments.

_script=$(basename "$0")  # run.sh has moved to its own folder
_declared() { sed '/parse_options\.sh/,$d' "$_script" | grep -E '^[a-z_]+='; }

_help() {
  sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$_script"
  _declared | sed -E 's/^([a-z_]+)=([^#]*[^# ])? *(# *(.*))?$/--\1\t\2\t\4/' | awk -F'\t' '
    { sub(/^\(\)$/, "", $2); gsub("_", "-", $1); printf "  %-18s %-20s %s\n", $1, $2, $3 }'
}

_fail() { echo "$_script: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) _help; exit 0 ;;
    --?*=*) _name=${1%%=*} _value=${1#*=} _words=1 ;;
    --?*) _name=$1 _value=${2-} _words=2 ;;
    *) _fail "unexpected argument '$1'; options are --name value; see --help" ;;
  esac
  _variable=${_name#--}
  _variable=${_variable//-/_}
  if ! [[ $_variable =~ ^[a-z_]+$ ]] || ! _declared | grep -q "^$_variable="; then
    _fail "unknown option $_name; see --help"
  fi
  [ $# -ge $_words ] || _fail "option $_name needs a value; see --help"
  shift $_words
  if _declared | grep -q "^$_variable=()"; then
    declare -n _array=$_variable
    _array+=("$_value")
    unset -n _array
    continue
  fi
  case ${!_variable} in
    true | false)
      case $_value in
        true | false) ;;
        *) _fail "option $_name takes true or false, got '$_value'" ;;
      esac
      ;;
    [0-9]*)
      case $_value in
        '' | *[!0-9]* | 0?*) _fail "option $_name takes a whole number, got '$_value'" ;;
      esac
      ;;
  esac
  printf -v "$_variable" %s "$_value"
done
unset -f _declared _help _fail
unset -v _script _name _value _variable _words
