/* Orders that are linked with each other: section 12 of docs/rules.md.
 *
 *   OCO, OUO   partner ⇄ partner          what one trades cancels or lessens the other
 *   OTO        parent ─► child            held until all of the parent has traded
 *   bracket    parent ─► child ⇄ child    both are held; then each is the other's partner
 */
#ifndef TOUCHLINE_LINKED_H
#define TOUCHLINE_LINKED_H

#include "touchline/core/special.h"

static inline uint8_t tl_link_contingency(uint8_t linked)
{
    return linked >> TL_LINK_CONTINGENCY;
}

/* Is it an order that its partner's trades lessen? */
static inline bool tl_link_updates(uint8_t linked)
{
    return tl_link_contingency(linked) >= TL_CONTINGENCY_OUO_ABSOLUTE;
}

/* Whose trades it has to do with, and who has to do with its own; TL_NONE: nobody. */
static inline uint32_t tl_link_partner(const tl_shelf *shelf, uint32_t slot)
{
    return shelf->special[slot].linked != 0 ? shelf->links[slot].partner - 1 : TL_NONE;
}

/* Rules 12.1 and 12.2: the terms' link, whether it goes with the order, and with whom it is:
 * fills in terms->linked and the slot of the other, TL_NONE where there is none. */
bool tl_link_fits(const tl_command *cmd, const tl_special *terms, const tl_sent_terms *more);
bool tl_link_find(const tl_step *s, const tl_sent_terms *more, tl_special *terms,
                  uint32_t *other);
/* The order has been accepted: it is linked, and its lane's last. */
void tl_link_set(const tl_step *s, uint32_t slot, uint32_t other);

/* Lots that the partner of an order, which has `leaves_qty`, loses when the order has traded `qty`
 * of `before`. Rule 12.3. */
uint32_t tl_link_lots(uint8_t contingency, uint32_t leaves_qty, uint32_t qty, uint32_t before);
/* An order trades so many lots of what it has left now: its partner, or TL_NONE, has less of it. */
uint32_t tl_link_traded(const tl_shelf *shelf, uint32_t slot, uint32_t qty);
/* What an order has less of, it loses, if it stands anywhere; one that is to meet the book does so
 * at its turn. */
void tl_link_settle(const tl_meeting *m, uint32_t slot);
/* Its turn has come: is anything left of it? */
bool tl_link_lessened(const tl_meeting *m, uint32_t slot);
/* Two partners would trade with each other: the one that stands is taken off. */
void tl_link_part(const tl_meeting *m, uint32_t slot);

/* As tl_special_end, of an order that is linked: its children are released or canceled. */
void tl_link_end(const tl_step *s, uint32_t slot);

#endif
