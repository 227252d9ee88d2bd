using System.Buffers.Binary;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Whisper.Tests.Checkpoints;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_EveryElementType_ConvertsToSingle()
    {
        var path = _folder.File("types.safetensors");
        SafetensorsWriter.Write(path,
        [
            Bytes("f64", TensorElementType.F64, [2], [.. BitConverter.GetBytes(1.5), .. BitConverter.GetBytes(-1e300)]),
            Bytes("f32", TensorElementType.F32, [1, 2], [.. BitConverter.GetBytes(0.1f), .. BitConverter.GetBytes(float.NegativeInfinity)]),
            Bytes("f16", TensorElementType.F16, [3], [.. BitConverter.GetBytes((Half)0.333f), .. BitConverter.GetBytes((Half)65504f), .. BitConverter.GetBytes(Half.Epsilon)]),
            Bytes("bf16", TensorElementType.BF16, [2], [0x80, 0x3F, 0x49, 0xC0]),
            Bytes("i64", TensorElementType.I64, [1], BitConverter.GetBytes(-5_000_000_000L)),
            Bytes("i32", TensorElementType.I32, [1], BitConverter.GetBytes(-7)),
            Bytes("i16", TensorElementType.I16, [1], BitConverter.GetBytes((short)-300)),
            Bytes("i8", TensorElementType.I8, [2], [0xFF, 0x7F]),
            Bytes("u8", TensorElementType.U8, [2], [0xFF, 0x7F]),
            Bytes("bool", TensorElementType.Bool, [2], [1, 0]),
            Bytes("scalar", TensorElementType.F32, [], BitConverter.GetBytes(42f)),
            Bytes("empty", TensorElementType.F32, [3, 0], []),
        ]);

        using var file = SafetensorsFile.Open(path);

        Assert.Equal([1.5f, float.NegativeInfinity], file["f64"].ToSingle());
        Assert.Equal([0.1f, float.NegativeInfinity], file["f32"].ToSingle());
        Assert.Equal([(float)(Half)0.333f, 65504f, 5.9604645e-8f], file["f16"].ToSingle());
        Assert.Equal([1f, -3.140625f], file["bf16"].ToSingle());
        Assert.Equal([-5_000_000_000f], file["i64"].ToSingle());
        Assert.Equal([-7f], file["i32"].ToSingle());
        Assert.Equal([-300f], file["i16"].ToSingle());
        Assert.Equal([-1f, 127f], file["i8"].ToSingle());
        Assert.Equal([255f, 127f], file["u8"].ToSingle());
        Assert.Equal([1f, 0f], file["bool"].ToSingle());
        Assert.Equal([42f], file["scalar"].ToSingle());
        Assert.True(file["scalar"].Shape.IsEmpty);
        Assert.Empty(file["empty"].ToSingle());
        Assert.Equal([3L, 0], file["empty"].Shape.ToArray());
        Assert.Equal("pt", file.Metadata["format"]);
    }

    [Fact]
    public void CopyTo_EveryBrainAndHalfPattern_EqualsTheScalarConversion()
    {
        // All 65,536 patterns, and lengths that leave every remainder of the vector loop.
        var patterns = new byte[1 << 17];
        for (var i = 0; i < 1 << 16; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(patterns.AsSpan(2 * i), (ushort)i);
        }

        var path = _folder.File("patterns.safetensors");
        SafetensorsWriter.Write(path, [Bytes("b", TensorElementType.BF16, [1 << 16], patterns), Bytes("h", TensorElementType.F16, [1 << 16], patterns)]);
        using var file = SafetensorsFile.Open(path);
        var brain = file["b"].ToSingle();
        var half = file["h"].ToSingle();
        for (var i = 0; i < 1 << 16; i++)
        {
            var expected = (float)BitConverter.UInt16BitsToHalf((ushort)i);
            Assert.Equal((uint)i << 16, BitConverter.SingleToUInt32Bits(brain[i]));
            Assert.True(float.IsNaN(expected) ? float.IsNaN(half[i]) : expected == half[i], $"half {i:x4}");
        }

        for (var length = 0; length < 70; length++)
        {
            var part = new float[length];
            file["b"].CopyTo(part, 11);
            Assert.Equal(brain[11..(11 + length)], part);
        }
    }

    [Fact]
    public void Open_FixtureFiles_HaveTheSameValuesInHalfAndSinglePrecision()
    {
        using var single = SafetensorsFile.Open(Fixtures.Path("checkpoints/fp32/model.safetensors"));
        using var brain = SafetensorsFile.Open(Fixtures.Path("checkpoints/bf16/model.safetensors"));
        Assert.NotEmpty(single.Tensors);
        Assert.Equal(single.Tensors.Keys.Order(), brain.Tensors.Keys.Order());
        foreach (var (name, tensor) in single.Tensors)
        {
            Assert.Equal(TensorElementType.F32, tensor.ElementType);
            Assert.Equal(TensorElementType.BF16, brain[name].ElementType);
            foreach (var (a, b) in tensor.ToSingle().Zip(brain[name].ToSingle()))
            {
                Assert.True(Math.Abs(a - b) <= 1e-7f + (Math.Abs(a) / 128), $"{name}: {a} and {b}");
            }
        }
    }

    [Fact]
    public unsafe void Address_OfATensor_PointsAtItsBytes()
    {
        var path = Small("small.safetensors");
        using var file = SafetensorsFile.Open(path);
        foreach (var tensor in file.Tensors.Values)
        {
            Assert.True(tensor.Bytes.SequenceEqual(new ReadOnlySpan<byte>((void*)tensor.Address, (int)tensor.ByteLength)));
        }
    }

    [Fact]
    public void Tensor_AfterItsFileWasDisposed_IsRefused()
    {
        var file = SafetensorsFile.Open(Small("small.safetensors"));
        var tensor = file["a"];
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => tensor.Bytes.Length);
        Assert.Throws<ObjectDisposedException>(() => tensor.Address);
        Assert.Throws<ObjectDisposedException>(tensor.ToSingle);
    }

    [Fact]
    public void Open_LargerThan2GiB_ReadsItsEnd()
    {
        // A sparse file: takes no room on disk where the file system can do that.
        const long Elements = (1L << 31) + 1000;
        var header = $$$"""{"big":{"dtype":"U8","shape":[{{{Elements}}}],"data_offsets":[0,{{{Elements}}}]},"end":{"dtype":"F32","shape":[1],"data_offsets":[{{{Elements}}},{{{Elements + 4}}}]}}""";
        var path = _folder.File("big.safetensors");
        using (var stream = new FileStream(path, FileMode.CreateNew))
        {
            stream.Write(BitConverter.GetBytes((long)header.Length));
            stream.Write(Encoding.ASCII.GetBytes(header));
            stream.SetLength(8 + header.Length + Elements + 4);
            stream.Seek(-5, SeekOrigin.End);
            stream.WriteByte(9);
            stream.Write(BitConverter.GetBytes(2.5f));
        }

        using var file = SafetensorsFile.Open(path);
        Assert.Equal(2.5f, Assert.Single(file["end"].ToSingle()));
        var tail = new float[2];
        file["big"].CopyTo(tail, Elements - 2);
        Assert.Equal([0f, 9f], tail);
        Assert.Contains("2 GiB", Assert.Throws<AsrException>(() => file["big"].Bytes.Length).Message, StringComparison.Ordinal);
        Assert.Throws<AsrException>(file["big"].ToSingle);
    }

    [Theory]
    [InlineData("", "begin with '{'")]
    [InlineData("[]", "begin with '{'")]
    [InlineData("{", "valid JSON")]
    [InlineData("{} x", "valid JSON")]
    [InlineData("""{"a":5}""", "\"a\" is described by no object")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", "lacks data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","data_offsets":[0,8]}}""", "lacks shape")]
    [InlineData("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", "lacks dtype")]
    [InlineData("""{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}""", "unknown type \"F31\"")]
    [InlineData("""{"a":{"dtype":["F32"],"shape":[2],"data_offsets":[0,8]}}""", "unknown type")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "twice or unexpectedly")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1}}""", "\"extra\"")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "should have 12 bytes, but its offsets give it 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "shape holds something else")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}""", "shape holds something else")]
    [InlineData("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", "shape is no list")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,8]}}""", "impossible shape")]
    [InlineData("""{"a":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,8]}}""", "impossible shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}""", "shape holds something else")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "lies at bytes 8…0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", "lies at bytes 0…12 of 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}}""", "lies at bytes 0…4…8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "end at byte 4 of its data, but 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "\"b\" overlaps \"a\"")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "\"a\" twice")]
    [InlineData("""{"__metadata__":{"x":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "metadata \"x\" is no text")]
    [InlineData("""{"__metadata__":{"x":"1","x":"2"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "metadata holds \"x\" twice")]
    [InlineData("""{"__metadata__":[],"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "\"__metadata__\" is no object")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "UTF-8")]
    public void Open_HeaderThatLies_GivesOneClearError(string header, string message)
    {
        var path = _folder.File("liar.safetensors");
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)header.Length), .. Encoding.UTF8.GetBytes(header), .. new byte[8]]);
        AssertRefused(path, message);
    }

    [Theory]
    [InlineData(100_000_001L, "limit")]
    [InlineData(-1L, "limit")]
    [InlineData(1000L, "cut off")]
    public void Open_HeaderLengthThatLies_GivesOneClearError(long length, string message)
    {
        var path = _folder.File("liar.safetensors");
        File.WriteAllBytes(path, [.. BitConverter.GetBytes(length), .. "{}"u8, .. new byte[8]]);
        AssertRefused(path, message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    public void Open_FewerBytesThanAHeader_GivesOneClearError(int length)
    {
        var path = _folder.File("short.safetensors");
        File.WriteAllBytes(path, new byte[length]);
        AssertRefused(path, "too few");
    }

    [Fact]
    public void Open_MissingFileOrFolder_GivesOneClearError()
    {
        AssertRefused(_folder.File("none.safetensors"), "does not exist");
        AssertRefused(Path.Combine(_folder.File("none"), "model.safetensors"), "does not exist");
        AssertRefused(_folder.Root, "is a folder");
    }

    [Fact]
    public void Open_TensorNameOfAnyText_IsQuotedOnOneShortLine()
    {
        var name = "\\n\\u0007" + new string('x', 5000);
        var header = $$$"""{"{{{name}}}":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""";
        var path = _folder.File("name.safetensors");
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)header.Length), .. Encoding.UTF8.GetBytes(header), .. new byte[8]]);
        Assert.True(Assert.Throws<AsrException>(() => SafetensorsFile.Open(path).Dispose()).Message.Length < 600);
        AssertRefused(path, "should have 12 bytes");
    }

    [Fact]
    public void Open_ThousandsOfMutations_GiveAValidReadOrOneClearError()
    {
        const int Mutations = 8000;
        var original = File.ReadAllBytes(Small("original.safetensors"));
        var headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(original);
        var path = _folder.File("mutant.safetensors");
        var random = new Random(20240917);
        var refused = 0;
        for (var i = 0; i < Mutations; i++)
        {
            var mutant = Mutate(original, headerLength, random);
            File.WriteAllBytes(path, mutant);
            try
            {
                using var file = SafetensorsFile.Open(path);
                long total = 0;
                foreach (var (name, tensor) in file.Tensors)
                {
                    Assert.Equal(name, tensor.Name);
                    Assert.Equal(tensor.ElementCount, tensor.Shape.ToArray().Aggregate(1L, (product, size) => product * size));
                    Assert.Equal(tensor.ElementCount, tensor.ToSingle().Length);
                    total += tensor.Bytes.Length;
                }

                var length = BinaryPrimitives.ReadInt64LittleEndian(mutant);
                Assert.Equal(mutant.Length - 8 - length, total);
            }
            catch (AsrException error)
            {
                refused++;
                Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', error.Message);
                Assert.True(error.Message.Length < 1000, error.Message);
            }
            catch (Exception error) when (error is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"Mutation {i}: {error}");
            }
        }

        // The mutations must reach both ends, or the test proves nothing.
        Assert.InRange(refused, Mutations / 2, Mutations - 50);
    }

    [Fact]
    public void Write_WrongByteCount_LeavesNothingBehind()
    {
        var path = Small("kept.safetensors");
        var before = File.ReadAllBytes(path);
        Assert.Throws<InvalidOperationException>(() => SafetensorsWriter.Write(path, [Bytes("a", TensorElementType.F32, [3], new byte[8])]));
        Assert.Equal([path], Directory.GetFiles(_folder.Root));
        Assert.Equal(before, File.ReadAllBytes(path));
    }

    [Fact]
    public void Write_RepeatedOrReservedName_IsRefused()
    {
        var path = _folder.File("names.safetensors");
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(path, [Bytes("a", TensorElementType.U8, [1], [1]), Bytes("a", TensorElementType.U8, [1], [1])]));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(path, [Bytes("__metadata__", TensorElementType.U8, [1], [1])]));
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void Write_IntoAMissingFolder_GivesOneClearError()
    {
        var path = Path.Combine(_folder.File("none"), "x.safetensors");
        Assert.Contains(path, Assert.Throws<AsrException>(() => SafetensorsWriter.Write(path, [])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_Any_AlignsDataToEightBytes()
    {
        var bytes = File.ReadAllBytes(Small("aligned.safetensors"));
        Assert.Equal(0, BinaryPrimitives.ReadInt64LittleEndian(bytes) % 8);
    }

    private static byte[] Mutate(byte[] original, int headerLength, Random random)
    {
        var mutant = (byte[])original.Clone();
        switch (random.Next(9))
        {
            case 0: // cut off
                return mutant[..random.Next(mutant.Length)];
            case 1: // bits of the header
                for (var n = random.Next(1, 4); n > 0; n--)
                {
                    mutant[random.Next(8 + headerLength)] ^= (byte)(1 << random.Next(8));
                }

                return mutant;
            case 2: // another byte in the header
                mutant[8 + random.Next(headerLength)] = (byte)random.Next(256);
                return mutant;
            case 3: // a lying header length
                BinaryPrimitives.WriteInt64LittleEndian(mutant, random.Next(3) switch
                {
                    0 => random.NextInt64(long.MinValue, long.MaxValue),
                    1 => headerLength + random.Next(-20, 20),
                    _ => random.Next(0, 2 * mutant.Length),
                });
                return mutant;
            case 4: // bytes too many at the end
                return [.. mutant, .. new byte[random.Next(1, 50)]];
            case 5: // a piece of the header twice or left out
                var from = random.Next(headerLength);
                var piece = mutant.AsSpan(8 + from, random.Next(1, headerLength - from + 1)).ToArray();
                var header = mutant.AsSpan(8, headerLength).ToArray();
                byte[] changed = random.Next(2) == 0 ? [.. header[..from], .. header[(from + piece.Length)..]] : [.. header[..from], .. piece, .. header[from..]];
                return Assemble(changed, mutant, headerLength);
            case 6: // a number replaced
            case 7:
                string[] numbers = ["0", "-1", "1", "2", "3", "4", "8", "16", "4294967296", "2147483648", "9223372036854775807", "18446744073709551615", "1e3", "0.5", "1e999", "[]", "null", "\"4\""];
                var text = Encoding.ASCII.GetString(mutant, 8, headerLength);
                var digits = System.Text.RegularExpressions.Regex.Matches(text, "[0-9]+");
                var digit = digits[random.Next(digits.Count)];
                var number = random.Next(4) == 0 ? random.Next(0, 64).ToString() : numbers[random.Next(numbers.Length)];
                return Assemble(Encoding.ASCII.GetBytes(text[..digit.Index] + number + text[(digit.Index + digit.Length)..]), mutant, headerLength);
            default: // only data: still valid
                mutant[8 + headerLength + random.Next(mutant.Length - 8 - headerLength)] = (byte)random.Next(256);
                return mutant;
        }
    }

    private static byte[] Assemble(byte[] header, byte[] mutant, int headerLength) =>
        [.. BitConverter.GetBytes((long)header.Length), .. header, .. mutant[(8 + headerLength)..]];

    private static SafetensorsEntry Bytes(string name, TensorElementType type, long[] shape, byte[] bytes) =>
        SafetensorsEntry.FromBytes(name, type, shape, bytes);

    private static void AssertRefused(string path, string message)
    {
        var error = Assert.Throws<AsrException>(() => SafetensorsFile.Open(path).Dispose());
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    private string Small(string name)
    {
        var path = _folder.File(name);
        SafetensorsWriter.Write(path,
        [
            SafetensorsEntry.FromSingle("a", [2, 3], new float[] { 1, 2, 3, 4, 5, 6 }),
            Bytes("b.weight", TensorElementType.F16, [4], [0, 60, 0, 60, 0, 60, 0, 60]),
            Bytes("c", TensorElementType.BF16, [2, 1], [1, 2, 3, 4]),
            Bytes("d", TensorElementType.I64, [1], new byte[8]),
            Bytes("e", TensorElementType.U8, [3], [1, 2, 3]),
            Bytes("f", TensorElementType.F32, [], new byte[4]),
        ]);
        return path;
    }
}
