using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace AsrPlatform.Onnx.Format;

/// <summary>A message of the ONNX format. Mutable; not safe for concurrent use.</summary>
public abstract class OnnxMessage : IMessage
{
    MessageDescriptor IMessage.Descriptor => throw new NotSupportedException("ONNX messages are read and written without descriptors.");

    /// <summary>What the public format calls it, for errors.</summary>
    internal abstract string FormatName { get; }

    /// <summary>Bytes that the message takes, without its own tag and length.</summary>
    internal long ByteSize()
    {
        var sizes = new FieldSizes();
        Write(sizes);
        return sizes.Total;
    }

    int IMessage.CalculateSize() => checked((int)ByteSize());

    void IMessage.WriteTo(CodedOutputStream output) => Write(new FieldStream(output));

    void IMessage.MergeFrom(CodedInputStream input)
    {
        uint tag;
        while ((tag = input.ReadTag()) != 0)
        {
            Read(new FieldReader(this, input, tag));
        }
    }

    /// <summary>Gives every field that is set to a sink, in the order of their numbers.</summary>
    internal abstract void Write(FieldSink fields);

    /// <summary>Takes one field; calls <see cref="FieldReader.Skip"/> for those that it does not keep.</summary>
    internal abstract void Read(FieldReader field);
}

/// <summary>Where a message's fields go.</summary>
internal abstract class FieldSink
{
    public abstract void Integer(int field, long value);

    public abstract void Single(int field, float value);

    public abstract void Text(int field, string value);

    public abstract void Bytes(int field, TensorData value);

    public abstract void Message(int field, OnnxMessage value);

    public void OptionalText(int field, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            Text(field, value);
        }
    }

    public void Messages(int field, IEnumerable<OnnxMessage> values)
    {
        foreach (var value in values)
        {
            Message(field, value);
        }
    }

    public void Texts(int field, IEnumerable<string> values)
    {
        foreach (var value in values)
        {
            Text(field, value);
        }
    }

    public void Integers(int field, IEnumerable<long> values)
    {
        foreach (var value in values)
        {
            Integer(field, value);
        }
    }
}

/// <summary>Adds up what fields would take.</summary>
internal sealed class FieldSizes : FieldSink
{
    public long Total { get; private set; }

    public override void Integer(int field, long value) => Total += CodedOutputStream.ComputeTagSize(field) + CodedOutputStream.ComputeInt64Size(value);

    public override void Single(int field, float value) => Total += CodedOutputStream.ComputeTagSize(field) + sizeof(float);

    public override void Text(int field, string value) => Total += CodedOutputStream.ComputeTagSize(field) + CodedOutputStream.ComputeStringSize(value);

    public override void Bytes(int field, TensorData value) => Delimited(field, value.Length);

    public override void Message(int field, OnnxMessage value) => Delimited(field, value.ByteSize());

    // A length that no int holds is refused before anything is written; five bytes are then as good as any.
    private void Delimited(int field, long length) =>
        Total += CodedOutputStream.ComputeTagSize(field) + (length > int.MaxValue ? 5 : CodedOutputStream.ComputeLengthSize((int)length)) + length;
}

/// <summary>Writes fields.</summary>
internal sealed class FieldStream(CodedOutputStream output) : FieldSink
{
    public override void Integer(int field, long value)
    {
        output.WriteTag(field, WireFormat.WireType.Varint);
        output.WriteInt64(value);
    }

    public override void Single(int field, float value)
    {
        output.WriteTag(field, WireFormat.WireType.Fixed32);
        output.WriteFloat(value);
    }

    public override void Text(int field, string value)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteString(value);
    }

    public override void Bytes(int field, TensorData value)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(UnsafeByteOperations.UnsafeWrap(value.Load()));
    }

    public override void Message(int field, OnnxMessage value)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteMessage(value);
    }
}

/// <summary>One field while it is read.</summary>
/// <param name="owner">The message that it belongs to.</param>
/// <param name="input">Stands behind the field's tag.</param>
/// <param name="tag">The tag.</param>
internal readonly struct FieldReader(OnnxMessage owner, CodedInputStream input, uint tag)
{
    public int Number => WireFormat.GetTagFieldNumber(tag);

    public long Integer()
    {
        Require(WireFormat.WireType.Varint);
        return input.ReadInt64();
    }

    public float Single()
    {
        Require(WireFormat.WireType.Fixed32);
        return input.ReadFloat();
    }

    public string Text()
    {
        Require(WireFormat.WireType.LengthDelimited);
        return input.ReadString();
    }

    public ReadOnlyMemory<byte> Bytes()
    {
        Require(WireFormat.WireType.LengthDelimited);
        return input.ReadBytes().Memory;
    }

    public T Message<T>(T into)
        where T : OnnxMessage
    {
        Require(WireFormat.WireType.LengthDelimited);
        input.ReadMessage(into);
        return into;
    }

    /// <summary>Appends the field's numbers, which may be packed or not.</summary>
    public void Integers(List<long> into) => Numbers(into, WireFormat.WireType.Varint, static tag => FieldCodec.ForInt64(tag));

    /// <summary>Appends the field's numbers, which may be packed or not.</summary>
    public void Singles(List<float> into) => Numbers(into, WireFormat.WireType.Fixed32, static tag => FieldCodec.ForFloat(tag));

    /// <summary>Appends the field's numbers, which may be packed or not.</summary>
    public void Doubles(List<double> into) => Numbers(into, WireFormat.WireType.Fixed64, static tag => FieldCodec.ForDouble(tag));

    public void Skip() => input.SkipLastField();

    private void Numbers<T>(List<T> into, WireFormat.WireType single, Func<uint, FieldCodec<T>> codec)
        where T : unmanaged
    {
        if (WireFormat.GetTagWireType(tag) != WireFormat.WireType.LengthDelimited)
        {
            Require(single);
        }

        var values = new Google.Protobuf.Collections.RepeatedField<T>();
        values.AddEntriesFrom(input, codec(tag));
        into.AddRange(values);
    }

    private void Require(WireFormat.WireType expected)
    {
        var found = WireFormat.GetTagWireType(tag);
        if (found != expected)
        {
            throw new InvalidDataException($"field {Number} of {owner.FormatName} is of wire type {(int)found}, expected {(int)expected}");
        }
    }
}
