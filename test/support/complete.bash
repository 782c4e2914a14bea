# What bash would complete: bash complete.bash NODE MAIN WORD..., the last word being the one at the cursor.
node=$1 main=$2
shift 2
meridian() { "$node" "$main" "$@"; }
# Of the package bash-completion, as far as it is needed here.
_get_comp_words_by_ref() {
  words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
}
source <(meridian complete bash)
COMP_WORDS=(meridian "$@")
COMP_CWORD=$#
__meridian_complete
printf '%s\n' "${COMPREPLY[@]}"
