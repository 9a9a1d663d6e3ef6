#!/bin/sh
# Builds one bare-metal image of the kernel core.
#
#   build-image.sh PACKAGE OUTPUT [ARCH [VARIANT [CORE]]]
#
# PACKAGE is the package's folder, OUTPUT the ELF file to write. ARCH is i386 (if it is not said) or
# x86-64. CORE is `core`, that for one CPU (if it is not said), or `smp`, that for several. VARIANT is a
# folder under the core's Variants: a file in it, or in the machine's folder there, takes the place of the
# file of that name, or comes in addition. A file `flags` may say RED_ZONE=yes: functions may
# keep data below their stack pointer. A file `base` names another variant, whose files are taken where
# this one has none.
set -eu

package=$1
output=$2
arch=${3:-i386}
variant=${4:-}
which=${5:-core}

# The tools of one toolchain, so that IR from the one is read by the other.
swiftc=${SWIFTC:-swiftc}
tools=$(dirname "$(command -v "$swiftc")")
clang=${CLANG:-$tools/clang}
linker=${LD_LLD:-$tools/ld.lld}
[ -x "$clang" ] || clang=$(command -v clang)
[ -x "$linker" ] || linker=$(command -v ld.lld)

case $output in
  /*) ;;
  *) output=$PWD/$output ;;
esac
work=$output.objects
modules=${MODULE_CACHE:-$work/modules}
rm -rf "$work"
mkdir -p "$work"

# Relative paths and a mapped compilation folder: the image says Sources/KernelCore/...
# wherever it was built.
cd "$package"
common=Sources/KernelCore
case $which in
  core) core=$common ;;
  smp) core=$common/SMP ;;
  *)
    echo "build-image.sh: no such core: $which (core or smp)" >&2
    exit 1
    ;;
esac
case $arch in
  i386) machine=i386 target=i686-unknown-none-elf emulation=elf_i386 ;;
  x86-64) machine=x86_64 target=x86_64-unknown-none-elf emulation=elf_x86_64 ;;
  *)
    echo "build-image.sh: no such machine: $arch (i386 or x86-64)" >&2
    exit 1
    ;;
esac

# Folders that go before the core's own, the first one first.
folders=
if [ -n "$variant" ]; then
  folders="$core/Variants/$variant/$machine $core/Variants/$variant"
  if [ -f "$core/Variants/$variant/base" ]; then
    base=$(cat "$core/Variants/$variant/base")
    folders="$folders $core/Variants/$base/$machine $core/Variants/$base"
  fi
fi

# What the core for several CPUs has of the other one (SMP/shared), by the file name's ending.
shared() {
  [ "$which" = smp ] || return 0
  sed "/^#/d; s/^MACHINE/$machine/" "$core/shared" | while read -r file; do
    case $file in
      Kernel/*."$1" | $machine/*."$1") echo "$common/$file" ;;
    esac
  done
}

chosen() {
  for folder in $folders; do
    if [ -f "$folder/${1##*/}" ]; then
      echo "$folder/${1##*/}"
      return
    fi
  done
  echo "$1"
}

swift_flags=
includes="-I $core/$machine/include -I $core/Headers"
if [ "$which" = smp ]; then
  includes="$includes -I $common/$machine/include -I $common/Headers"
  # The same module's name, with other headers.
  modules=$modules-smp
  # Works that differ in little more than their lock are to keep their names.
  swift_flags="-Xllvm -swiftmergefunc-threshold=0"
fi
RED_ZONE=no
reversed=
for folder in $folders; do reversed="$folder $reversed"; done
for folder in $reversed; do
  includes="-I $folder $includes"
  # Headers of its own make another module of the same name.
  for header in core hardware machine segments system_calls; do
    [ ! -f "$folder/$header.h" ] || modules=$work/modules
  done
  [ ! -f "$folder/flags" ] || . "./$folder/flags"
done

# What a variant has in addition.
added() {
  for folder in $folders; do
    for file in "$folder"/*."$1"; do
      name=${file##*/}
      [ -f "$file" ] || continue
      [ -f "$core/Kernel/$name" ] || [ -f "$common/Portable/$name" ] || [ -f "$core/User/$name" ] ||
        [ -f "$core/$machine/$name" ] || [ "$(chosen "$name")" != "$file" ] ||
        shared "$1" | grep -q "/$name\$" || echo "$file"
    done
  done
}

red_zone="-Xcc -mno-red-zone"
[ "$RED_ZONE" = no ] || red_zone=

swift_files=$(added swift)
for file in $common/Portable/*.swift $core/Kernel/*.swift $core/$machine/*.swift $(shared swift); do
  swift_files="$swift_files $(chosen "$file")"
done

# Through LLVM IR, because swiftc itself always makes position-independent code, which costs
# i386 three instructions in nearly every function.
"$swiftc" -target $target -enable-experimental-feature Embedded -swift-version 5 \
  -parse-as-library -module-name KernelCore -wmo -O -g -enforce-exclusivity=unchecked \
  -warnings-as-errors -Wwarning EmbeddedRestrictions \
  -file-prefix-map "$PWD=." -file-prefix-map "$(dirname "$tools")=toolchain" \
  -file-compilation-dir . -Xfrontend -no-clang-module-breadcrumbs \
  $swift_flags -Xfrontend -function-sections -Xfrontend -disable-stack-protector \
  $includes -Xcc -fno-pic -Xcc -ffreestanding \
  -Xcc -mno-sse -Xcc -mno-mmx $red_zone \
  -module-cache-path "$modules" \
  $swift_files -emit-ir -o "$work/kernel.ll"
"$clang" -target $target -fno-pic -Os -Xclang -disable-llvm-passes \
  -ffunction-sections -fdata-sections -Wno-override-module \
  -c "$work/kernel.ll" -o "$work/kernel.o"

for file in $core/Kernel/*.S $core/User/*.S $core/$machine/*.S $(shared S) $(added S); do
  object=${file##*/}
  object=$work/${object%.S}.o
  "$clang" -target $target -g $includes \
    -ffile-prefix-map="$PWD=." -ffile-compilation-dir=. \
    -c "$(chosen "$file")" -o "$object"
done

script=$core/$machine/kernel.ld
[ -f "$script" ] || script=$common/$machine/kernel.ld

# -n: no page alignment, so that the multiboot header stays in the first 8 KiB.
"$linker" -m $emulation -n --gc-sections -z noexecstack -T "$script" \
  "$work"/*.o -o "$work/image"
mv "$work/image" "$output"
[ -n "${KEEP_OBJECTS:-}" ] || rm -rf "$work"
