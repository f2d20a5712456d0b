#compdef git-pack
# Completes `git-pack …` in zsh, and `git pack …` through the completion of git.
# Written by `git pack completions zsh`; its name must be _git-pack, in a directory of $fpath. Nothing that a repository holds is
# evaluated: git-pack prints only plain names, and zsh itself completes files.

_git-pack() {
    local line word
    local -a described
    integer files=0 directories=0
    for line in "${(@f)$(git-pack complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
        ('') ;;
        (:files) files=1 ;;
        (:directories) directories=1 ;;
        (*)
            word=${line%%$'\t'*}
            described+=("${word//:/\\:}:${line#*$'\t'}")
            ;;
        esac
    done
    integer result=1
    (( $#described )) && _describe -t values 'git-pack' described && result=0
    (( files )) && _files && result=0
    (( directories )) && _files -/ && result=0
    return result
}

_git-pack "$@"
