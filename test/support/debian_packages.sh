# Debian packages of other suites than this machine's own; to be sourced by a bash script that defines these:
#
#   say TEXT...        where messages go
#   cache=FOLDER       where unpacked packages are kept
#   state=FOLDER       where apt keeps its lists of the suites
#   suites=(NAME...)   the suites to look into; NAME-security comes from the security archive beside the mirror
#
# The packages come through apt itself, from newer or older suites of the mirror that this machine already uses: apt verifies
# signatures and checksums. A mirror that lags behind is good enough, so the expiry of its lists is not looked at. It works in a state
# folder of its own, so nothing is installed and the machine's own package lists stay as they are.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The first Debian mirror named by the machine's own apt sources, in either of their two formats.
mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
    sed -nE 's/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p; s/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' |
    grep -m1 -E '/debian/?$' || true
}

# archive_of MIRROR SUITE
archive_of() {
  case $2 in
    *-security) echo "${1%/}-security" ;;
    *) echo "$1" ;;
  esac
}

private_apt() {
  local tool=$1
  shift
  "$tool" -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State="$state" \
    -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" -o Acquire::Languages=none \
    -o Dir::Cache::pkgcache=pkgcache.bin -o Dir::Cache::srcpkgcache=srcpkgcache.bin \
    -o APT::Sandbox::User=root -o Acquire::Retries=3 -o Acquire::Check-Valid-Until=false -o APT::Get::AllowUnauthenticated=false "$@"
}

# Package lists are fetched once a day at most: a matrix run asks for several releases one after another.
update_lists() {
  [[ -n $(find "$state/updated" -mmin -1440 2>/dev/null) ]] && return
  local uri suite signed=''
  uri=$(mirror)
  [[ -n $uri ]] || { say "no Debian mirror found in the apt sources of this machine"; return 1; }
  [[ -r $keyring ]] && signed="[signed-by=$keyring] "
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  : >"$state/status"
  for suite in "${suites[@]}"; do
    echo "deb $signed$(archive_of "$uri" "$suite") $suite main"
  done >"$state/sources.list"
  say "reading the package lists of ${suites[*]}"
  private_apt apt-get -qq update >&2
  touch "$state/updated"
}

is_offered() { [[ $(private_apt apt-cache policy "$1") == *"Candidate: "[0-9]* ]]; }

# unpack PACKAGE FOLDER: leaves the files of the package in the folder, completely or not at all.
unpack() {
  local package=$1 target=$2 work
  say "fetching $package"
  work=$(mktemp -d "$cache/unpack.XXXXXX")
  (cd "$work" && private_apt apt-get -qq download "$package" >&2 && dpkg -x ./"$package"_*.deb tree) ||
    { rm -rf "$work"; return 1; }
  rm -rf "$target"
  mv "$work/tree" "$target"
  rm -rf "$work"
}

# One process at a time works in the cache.
lock_cache() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
}
