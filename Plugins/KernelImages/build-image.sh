#!/bin/sh
# Builds one bare-metal image of the kernel core.
#
#   build-image.sh PACKAGE OUTPUT [VARIANT]
#
# PACKAGE is the package's folder, OUTPUT the ELF file to write. VARIANT is a folder under
# Sources/KernelCore/Variants: a file in it takes the place of the file of that name.
set -eu

package=$1
output=$2
variant=${3:-}

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
core=Sources/KernelCore
target=i686-unknown-none-elf

chosen() {
  if [ -n "$variant" ] && [ -f "$core/Variants/$variant/$(basename "$1")" ]; then
    echo "$core/Variants/$variant/$(basename "$1")"
  else
    echo "$1"
  fi
}

swift_files=
for file in $core/Portable/*.swift $core/Kernel/*.swift $core/i386/*.swift; do
  swift_files="$swift_files $(chosen "$file")"
done

# Through LLVM IR, because swiftc itself always makes position-independent code, which costs
# i386 three instructions in nearly every function.
"$swiftc" -target $target -enable-experimental-feature Embedded -swift-version 5 \
  -parse-as-library -module-name KernelCore -wmo -O -g -enforce-exclusivity=unchecked \
  -warnings-as-errors -Wwarning EmbeddedRestrictions \
  -file-prefix-map "$PWD=." -file-prefix-map "$(dirname "$tools")=toolchain" \
  -file-compilation-dir . -Xfrontend -no-clang-module-breadcrumbs \
  -Xfrontend -function-sections -Xfrontend -disable-stack-protector \
  -I $core/i386/include -Xcc -fno-pic -Xcc -ffreestanding \
  -Xcc -mno-sse -Xcc -mno-mmx -Xcc -mno-red-zone \
  -module-cache-path "$modules" \
  $swift_files -emit-ir -o "$work/kernel.ll"
"$clang" -target $target -fno-pic -Os -Xclang -disable-llvm-passes \
  -ffunction-sections -fdata-sections -Wno-override-module \
  -c "$work/kernel.ll" -o "$work/kernel.o"

for file in $core/i386/*.S; do
  object=$work/$(basename "$file" .S).o
  "$clang" -target $target -g -I $core/i386/include \
    -ffile-prefix-map="$PWD=." -ffile-compilation-dir=. \
    -c "$(chosen "$file")" -o "$object"
done

# -n: no page alignment, so that the multiboot header stays in the first 8 KiB.
"$linker" -m elf_i386 -n --gc-sections -z noexecstack -T $core/i386/kernel.ld \
  "$work"/*.o -o "$work/image"
mv "$work/image" "$output"
rm -rf "$work"
