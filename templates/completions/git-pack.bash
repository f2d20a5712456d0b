# Completes `git-pack …` in bash, and `git pack …` through the completion of git.
# Written by `git pack completions bash`. Nothing that a repository holds is evaluated: git-pack prints only plain names, and
# bash itself completes files.

# Completes the last of the words that are given, which follow `git pack`.
__git_pack_complete() {
    local current=${*: -1} line word before=
    # bash replaces only what follows the last colon or equals sign.
    case $current in
    *[:=]*) before=${current%"${current##*[:=]}"} ;;
    esac
    COMPREPLY=()
    while IFS= read -r line; do
        word=${line%%$'\t'*}
        case $line in
        :files | :directories)
            compopt -o filenames 2>/dev/null
            local kind=-f
            [ "$line" = :files ] || kind=-d
            while IFS= read -r word; do
                COMPREPLY+=("$word")
            done < <(compgen "$kind" -- "${current#"$before"}")
            ;;
        *) COMPREPLY+=("${word#"$before"}") ;;
        esac
    done < <(git-pack complete -- "$@" 2>/dev/null)
    case ${#COMPREPLY[@]}:${COMPREPLY[0]} in
    1:*[:/=]) compopt -o nospace 2>/dev/null ;;
    *) compopt +o nospace 2>/dev/null ;;
    esac
}

# git's completion calls this, with its own array of words.
_git_pack() {
    local first=${__git_cmd_idx:-1}
    __git_pack_complete "${words[@]:first+1:cword-first}"
}

# Joins what bash divides at colons and equals signs.
__git_pack_main() {
    local -a joined=()
    local index word last
    for ((index = 1; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]} last=
        [ ${#joined[@]} -eq 0 ] || last=${joined[${#joined[@]} - 1]}
        case $word:$last in
        [:=]*:?* | *:*[:=]) joined[${#joined[@]} - 1]=$last$word ;;
        *) joined+=("$word") ;;
        esac
    done
    __git_pack_complete "${joined[@]}"
}

complete -o nospace -F __git_pack_main git-pack
