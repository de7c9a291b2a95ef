// Descriptor formats as section 5 has them, typed by hand, against the generated accessors.
#include "hw/regs/descriptor.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <map>
#include <sstream>
#include <string>

#include "hw/regs/generated/i82574l_descriptors.hpp"

namespace doorbell::regs {
namespace {

namespace formats = i82574l;

/// "word.lsb+width" of every field, in order of their places.
template <unsigned N, std::size_t Count>
std::string layout(const DescriptorField<N>* const (&fields)[Count]) {
    std::ostringstream text;
    for (const DescriptorField<N>* field : fields) {
        text << field->name << " " << field->word << "." << field->lsb << "+" << field->width
             << "\n";
    }
    return text.str();
}

TEST(Descriptors, LegacyTransmitFollowsSection52) {
    EXPECT_EQ(layout(formats::tx_legacy::kFields),
              "BUFFER_ADDRESS 0.0+64\nLENGTH 1.0+16\nCSO 1.16+8\nEOP 1.24+1\nIFCS 1.25+1\n"
              "IC 1.26+1\nRS 1.27+1\nDEXT 1.29+1\nVLE 1.30+1\nIDE 1.31+1\nDD 1.32+1\nEC 1.33+1\n"
              "LC 1.34+1\nTU 1.35+1\nTS 1.36+1\nCSS 1.40+8\nVLAN 1.48+16\n");
}

TEST(Descriptors, TransmitContextFollowsSection53) {
    EXPECT_EQ(layout(formats::tx_context::kFields),
              "IPCSS 0.0+8\nIPCSO 0.8+8\nIPCSE 0.16+16\nTUCSS 0.32+8\nTUCSO 0.40+8\n"
              "TUCSE 0.48+16\nPAYLEN 1.0+20\nDTYP 1.20+4\nTCP 1.24+1\nIP 1.25+1\nTSE 1.26+1\n"
              "RS 1.27+1\nDEXT 1.29+1\nSNAP 1.30+1\nIDE 1.31+1\nDD 1.32+1\nHDRLEN 1.40+8\n"
              "MSS 1.48+16\n");
}

TEST(Descriptors, TransmitDataFollowsSection54) {
    EXPECT_EQ(layout(formats::tx_data::kFields),
              "BUFFER_ADDRESS 0.0+64\nDTALEN 1.0+20\nDTYP 1.20+4\nEOP 1.24+1\nIFCS 1.25+1\n"
              "TSE 1.26+1\nRS 1.27+1\nDEXT 1.29+1\nVLE 1.30+1\nIDE 1.31+1\nDD 1.32+1\nEC 1.33+1\n"
              "LC 1.34+1\nTU 1.35+1\nTS 1.36+1\nIXSM 1.40+1\nTXSM 1.41+1\nVLAN 1.48+16\n");
    EXPECT_EQ(formats::tx_data::DTYP_DATA, 1u);
    EXPECT_EQ(formats::tx_data::DTYP_CONTEXT, 0u);
}

TEST(Descriptors, LegacyReceiveFollowsSection56) {
    EXPECT_EQ(layout(formats::rx_legacy::kFields),
              "BUFFER_ADDRESS 0.0+64\nLENGTH 1.0+16\nCSUM 1.16+16\nDD 1.32+1\nEOP 1.33+1\n"
              "IXSM 1.34+1\nVP 1.35+1\nUDPCS 1.36+1\nTCPCS 1.37+1\nIPCS 1.38+1\nPIF 1.39+1\n"
              "CE 1.40+1\nSE 1.41+1\nSEQ 1.42+1\nCXE 1.44+1\nTCPE 1.45+1\nIPE 1.46+1\nRXE 1.47+1\n"
              "VLAN 1.48+16\n");
}

TEST(Descriptors, ExtendedReceiveFollowsSection57) {
    EXPECT_EQ(layout(formats::rx_extended_read::kFields), "BUFFER_ADDRESS 0.0+64\nDD 1.0+1\n");
    EXPECT_EQ(layout(formats::rx_extended::kFields),
              "RSS_TYPE 0.0+4\nQUEUE 0.8+5\nRSS_HASH 0.32+32\nIP_ID 0.32+16\nCSUM 0.48+16\n"
              "DD 1.0+1\nEOP 1.1+1\nIXSM 1.2+1\nVP 1.3+1\nUDPCS 1.4+1\nTCPCS 1.5+1\nIPCS 1.6+1\n"
              "PIF 1.7+1\nTST 1.8+1\nIPIDV 1.9+1\nUDPV 1.10+1\nACK 1.15+1\nPKTTYPE 1.16+4\n"
              "CE 1.24+1\nSE 1.25+1\nSEQ 1.26+1\nCXE 1.28+1\nTCPE 1.29+1\nIPE 1.30+1\nRXE 1.31+1\n"
              "LENGTH 1.32+16\nVLAN 1.48+16\n");
    EXPECT_EQ(formats::rx_extended::PKTTYPE_IPV4_L4, 2u);
    EXPECT_EQ(formats::rx_extended::PKTTYPE_IPV6_L4, 6u);
    EXPECT_EQ(formats::rx_extended::RSS_TYPE_IPV6, 5u);
}

TEST(Descriptors, PacketSplitFollowsSection58) {
    EXPECT_EQ(layout(formats::rx_split_read::kFields),
              "BUFFER0_ADDRESS 0.0+64\nBUFFER1_ADDRESS 1.0+64\nBUFFER2_ADDRESS 2.0+64\n"
              "BUFFER3_ADDRESS 3.0+64\n");
    EXPECT_EQ(formats::rx_split::Words::kSizeBytes, 32u);
    const std::string text = layout(formats::rx_split::kFields);
    EXPECT_NE(text.find("LENGTH0 1.32+16\nVLAN 1.48+16\nHDRLEN 2.0+10\nHDRSP 2.15+1\n"
                        "LENGTH1 2.16+16\nLENGTH2 2.32+16\nLENGTH3 2.48+16\n"),
              std::string::npos)
        << text;
}

TEST(Descriptors, WordsAreLittleEndianInMemory) {
    // A data descriptor as a driver lays it out: 1514 bytes at 0x0123456789abcdef, EOP IFCS RS
    // DEXT.
    const std::uint8_t memory[16] = {0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01,
                                     0xEA, 0x05, 0x10, 0x2B, 0x01, 0x03, 0x34, 0x12};
    const auto words = formats::tx_data::Words::load(memory);
    EXPECT_EQ(formats::tx_data::BUFFER_ADDRESS.get(words), 0x0123456789ABCDEFu);
    EXPECT_EQ(formats::tx_data::DTALEN.get(words), 1514u);
    EXPECT_EQ(formats::tx_data::DTYP.get(words), 1u);
    EXPECT_EQ(formats::tx_data::EOP.get(words), 1u);
    EXPECT_EQ(formats::tx_data::IFCS.get(words), 1u);
    EXPECT_EQ(formats::tx_data::TSE.get(words), 0u);
    EXPECT_EQ(formats::tx_data::RS.get(words), 1u);
    EXPECT_EQ(formats::tx_data::DEXT.get(words), 1u);
    EXPECT_EQ(formats::tx_data::DD.get(words), 1u);
    EXPECT_EQ(formats::tx_data::IXSM.get(words), 1u);
    EXPECT_EQ(formats::tx_data::TXSM.get(words), 1u);
    EXPECT_EQ(formats::tx_data::VLAN.get(words), 0x1234u);
    std::uint8_t copy[16] = {};
    words.store(copy);
    EXPECT_EQ(std::string(std::begin(copy), std::end(copy)),
              std::string(std::begin(memory), std::end(memory)));
}

TEST(Descriptors, PutChangesTheFieldAndNothingElse) {
    formats::rx_extended::Words words;
    words.words = {~std::uint64_t{0}, ~std::uint64_t{0}};
    formats::rx_extended::PKTTYPE.put(words, 2);
    EXPECT_EQ(words.words[1], 0xFFFFFFFFFFF2FFFFu);
    formats::rx_extended::LENGTH.put(words, 0x12345);
    EXPECT_EQ(words.words[1], 0xFFFF2345FFF2FFFFu) << "a value that is too wide is cut";
    EXPECT_EQ(words.words[0], ~std::uint64_t{0});
}

}  // namespace
}  // namespace doorbell::regs
