using System.Text;

namespace AsrPlatform.Host.Tests.Audio;

/// <summary>Builds WAV files of every kind, right and wrong, byte by byte.</summary>
internal sealed record WavBytes
{
    public ushort Tag { get; init; } = 1;

    public int Channels { get; init; } = 1;

    public int SampleRateHz { get; init; } = 16000;

    public int Bits { get; init; } = 16;

    /// <summary>Bytes of a frame; by default what channels and bits make.</summary>
    public int? FrameBytes { get; init; }

    public bool Extensible { get; init; }

    public bool LargeFile { get; init; }

    public byte[] Data { get; init; } = [];

    /// <summary>The size that the data chunk claims; by default the true one.</summary>
    public uint? ClaimedSize { get; init; }

    /// <summary>Chunks before the format, each with its body.</summary>
    public IReadOnlyList<(string Id, byte[] Body)> Before { get; init; } = [];

    public IReadOnlyList<(string Id, byte[] Body)> After { get; init; } = [];

    public static byte[] OfInt16(params short[] samples) => [.. samples.SelectMany(BitConverter.GetBytes)];

    public static byte[] OfSingle(params float[] samples) => [.. samples.SelectMany(BitConverter.GetBytes)];

    public byte[] Build()
    {
        using var body = new MemoryStream();
        using var writer = new BinaryWriter(body);
        writer.Write("WAVE"u8);
        if (LargeFile)
        {
            Chunk(writer, "ds64", [.. BitConverter.GetBytes(0L), .. BitConverter.GetBytes((long)Data.Length), .. BitConverter.GetBytes(0L), 0, 0, 0, 0]);
        }

        foreach (var (id, content) in Before)
        {
            Chunk(writer, id, content);
        }

        var frame = FrameBytes ?? Channels * ((Bits + 7) / 8);
        List<byte> format =
        [
            .. BitConverter.GetBytes(Extensible ? (ushort)0xFFFE : Tag),
            .. BitConverter.GetBytes((ushort)Channels),
            .. BitConverter.GetBytes(SampleRateHz),
            .. BitConverter.GetBytes(SampleRateHz * frame),
            .. BitConverter.GetBytes((ushort)frame),
            .. BitConverter.GetBytes((ushort)Bits),
        ];
        if (Extensible)
        {
            format.AddRange([22, 0, .. BitConverter.GetBytes((ushort)Bits), 0, 0, 0, 0, .. BitConverter.GetBytes(Tag), 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
        }

        Chunk(writer, "fmt ", [.. format]);
        writer.Write("data"u8);
        writer.Write(ClaimedSize ?? (LargeFile ? uint.MaxValue : (uint)Data.Length));
        writer.Write(Data);
        if (After.Count > 0 && Data.Length % 2 == 1)
        {
            writer.Write((byte)0);
        }

        foreach (var (id, content) in After)
        {
            Chunk(writer, id, content);
        }

        return [.. LargeFile ? "RF64"u8 : "RIFF"u8, .. LargeFile ? BitConverter.GetBytes(-1) : BitConverter.GetBytes((int)body.Length), .. body.ToArray()];
    }

    private static void Chunk(BinaryWriter writer, string id, byte[] body)
    {
        writer.Write(Encoding.ASCII.GetBytes(id));
        writer.Write(body.Length);
        writer.Write(body);
        if (body.Length % 2 == 1)
        {
            writer.Write((byte)0);
        }
    }
}
